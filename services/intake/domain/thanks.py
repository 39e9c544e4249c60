"""The phrases of thanks in eight languages, in small letters and without accents; `courtesy` says what they mean."""

from typing import Final

CORE: Final = {
    "en": "thanks|thank you|thx|ty|many thanks|cheers|much appreciated|appreciated|appreciate it"
    "|i appreciate it|great|perfect|excellent|awesome|wonderful|brilliant|super|lovely"
    "|nice|cool|ok|okay|all good|all fine|good|works|it works|works now|it works now"
    "|works fine|works again|it works again|works like a charm|that works|that worked"
    "|it worked|working now|it is working now|its working now|problem solved|solved|fixed"
    "|it is fixed|that did it|that solved it|that fixed it|that helped|that helps"
    "|very helpful|got it|received|noted|done|sounds good|issue resolved|resolved",
    "de": "danke|dankeschon|danke schon|danke sehr|vielen dank|besten dank|herzlichen dank"
    "|tausend dank|ich danke|wir danken|super|prima|perfekt|klasse|toll|wunderbar"
    "|ausgezeichnet|bestens|spitze|alles klar|ok|alles gut|passt|passt so|alles bestens"
    "|klappt|es klappt|klappt jetzt|hat geklappt|hat funktioniert|funktioniert"
    "|es funktioniert|funktioniert jetzt|es funktioniert jetzt|geht|geht jetzt|geht wieder"
    "|es geht wieder|jetzt geht es|jetzt geht es wieder|lauft|lauft wieder|erledigt|gelost"
    "|problem gelost|das wars|das war es|hat geholfen",
    "fr": "merci|merci beaucoup|merci bien|grand merci|mille mercis|un grand merci|mille merci"
    "|super|parfait|genial|excellent|impeccable|nickel|top|tres bien|c est bon|cest bon"
    "|c est parfait|ca marche|ca fonctionne|tout fonctionne|tout marche|probleme resolu"
    "|resolu|d accord|daccord|ok|c est note|bien recu|formidable",
    "es": "gracias|muchas gracias|mil gracias|muchisimas gracias|perfecto|genial|excelente"
    "|estupendo|fantastico|de acuerdo|vale|ok|todo bien|ya funciona|funciona"
    "|ahora funciona|todo funciona|solucionado|resuelto|problema resuelto"
    "|problema solucionado|listo|recibido|muy amable|muy amables",
    "it": "grazie|grazie mille|mille grazie|molte grazie|tante grazie|grazie tante|perfetto"
    "|ottimo|benissimo|eccellente|fantastico|va bene|ok|d accordo|tutto ok|tutto bene"
    "|funziona|ora funziona|adesso funziona|tutto funziona|risolto|problema risolto"
    "|ricevuto|gentilissimi|gentilissima|gentilissimo",
    "pt": "obrigado|obrigada|muito obrigado|muito obrigada|obrigadao|valeu|perfeito|otimo"
    "|excelente|maravilha|beleza|esta bem|tudo bem|tudo certo|certo|ok|funcionou|funciona"
    "|ja funciona|agora funciona|resolvido|problema resolvido|recebido|agradeco|agradecido"
    "|agradecida|show",
    "nl": "bedankt|dank je|dank je wel|dankjewel|dank u|dank u wel|dankuwel|hartelijk dank"
    "|veel dank|dank|heel erg bedankt|hartelijk bedankt|perfect|prima|top|super|geweldig"
    "|uitstekend|helemaal goed|in orde|ok|oke|het werkt|werkt|het werkt weer|het werkt nu"
    "|werkt weer|werkt nu|gelukt|het is gelukt|opgelost|is opgelost|ontvangen",
    "pl": "dzieki|dziekuje|dziekujemy|dziekuje bardzo|bardzo dziekuje|serdecznie dziekuje"
    "|wielkie dzieki|super|swietnie|doskonale|idealnie|rewelacja|ok|w porzadku|dobrze"
    "|dziala|juz dziala|wszystko dziala|teraz dziala|wszystko gra|rozwiazane"
    "|problem rozwiazany|otrzymalem|otrzymalam",
}
"""What may be a whole message: language → phrases."""

BESIDE: Final = {
    "en": "so much|very much|a lot|a million|again|once again|for your help|for the help"
    "|for helping|for your support|for the quick help|for your quick help"
    "|for your quick reply|for the quick reply|for the quick response"
    "|for your quick response|for your reply|for the reply|for your time|for everything"
    "|for the info|for letting me know|for the update|for the information|for fixing it"
    "|for fixing this|for fixing that|for the fix|indeed|now|and|to you|to you all|to all"
    "|everyone|everybody|all|you too|have a nice day|have a great day|have a good day"
    "|have a nice weekend|have a great weekend|have a good weekend|hi|hello|dear|hey|team"
    "|support|dear team|bye|yes|really|very|it is|its|this is|that is|that s|it s"
    "|everything|everything is|you are the best|well done|good job|great job|great work"
    "|great support|great help|best support|no further questions|best|regards|best regards"
    "|kind regards|sincerely|yours|my friend|guys|sir|madam|the|for",
    "de": "sehr|nochmals|noch einmal|nochmal|fur die hilfe|fur ihre hilfe|fur deine hilfe"
    "|fur eure hilfe|fur die schnelle hilfe|fur ihre schnelle hilfe"
    "|fur die schnelle antwort|fur die rasche hilfe|fur die unterstutzung"
    "|fur ihre unterstutzung|fur ihre muhe|fur die info|fur die information"
    "|fur die ruckmeldung|fur die schnelle ruckmeldung|fur die rasche ruckmeldung"
    "|fur alles|und|jetzt|wieder|alles|hallo|guten tag|hi|liebe|lieber|liebes team|ihnen"
    "|dir|euch|schonen tag|schonen tag noch|einen schonen tag|schones wochenende"
    "|ein schones wochenende|gruss|grusse|viele grusse|liebe grusse|mfg|lg|vg|ja|das|ist"
    "|es|nun|frau|herr|damit|team|euer|tschuss",
    "fr": "pour votre aide|pour ton aide|pour l aide|pour votre reponse"
    "|pour votre reponse rapide|pour votre rapidite|pour tout|pour votre retour"
    "|pour votre reactivite|encore|a vous|a tous|bonne journee|bon week end|bon weekend"
    "|bonne soiree|bonjour|salut|et|tout|tres|cordialement|oui|c est|bien|maintenant"
    "|madame|monsieur|l equipe|beaucoup|a bientot|bonne fin de journee",
    "es": "por su ayuda|por tu ayuda|por la ayuda|por vuestra ayuda|por todo|por su respuesta"
    "|por la rapida respuesta|por su rapida respuesta|por la respuesta|por responder|y"
    "|a todos|a usted|a ti|de nuevo|otra vez|hola|buenos dias|buenas tardes|buen dia"
    "|que tenga un buen dia|un saludo|saludos|si|todo|muy|bien|ya|ahora|esta|esta todo"
    "|equipo|feliz dia",
    "it": "per l aiuto|per il vostro aiuto|per il tuo aiuto|per il suo aiuto|per la risposta"
    "|per la rapida risposta|per la velocita|per tutto|per il supporto|e|ancora|di nuovo"
    "|a tutti|a voi|a lei|ciao|buongiorno|salve|buona giornata|buona serata|buon lavoro"
    "|buon weekend|saluti|cordiali saluti|si|tutto|molto|gentile|ora|adesso|davvero",
    "pt": "pela ajuda|pela sua ajuda|pela vossa ajuda|por tudo|pela resposta"
    "|pela rapida resposta|pelo apoio|pelo suporte|pelo retorno|pela atencao|e|novamente"
    "|mais uma vez|a todos|ola|oi|bom dia|boa tarde|boa noite|bom fim de semana"
    "|tenha um bom dia|abraco|abracos|sim|tudo|muito|agora|ja|equipe|equipa|mesmo"
    "|atenciosamente",
    "nl": "voor je hulp|voor uw hulp|voor de hulp|voor jullie hulp|voor de snelle hulp"
    "|voor de snelle reactie|voor uw snelle reactie|voor je reactie|voor de reactie"
    "|voor alles|voor de moeite|nogmaals|en|weer|allemaal|hallo|hoi|goedemorgen"
    "|goedemiddag|fijne dag|een fijne dag|nog een fijne dag|fijn weekend|groet|groeten"
    "|groetjes|mvg|ja|alles|het|is|nu|heel|erg|team",
    "pl": "za pomoc|za szybka pomoc|za odpowiedz|za szybka odpowiedz|za wsparcie|za wszystko"
    "|za informacje|bardzo|jeszcze raz|raz jeszcze|i|oraz|wszystkim|panu|pani|panstwu"
    "|czesc|dzien dobry|witam|milego dnia|udanego dnia|milego weekendu|pozdrawiam"
    "|pozdrowienia|tak|wszystko|juz|teraz|serdecznie|za",
}
"""What may stand beside it and is no message by itself."""
