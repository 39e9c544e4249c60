"""What the demo organisation knows: articles for customers and for its own people, and prepared answers."""

from typing import Any, Final

ARTICLES: Final[dict[str, dict[str, Any]]] = {
    "reset-password": {
        "title": "Reset your password",
        "body": (
            "Open **Settings → Security** and press **Reset**. The mail comes within two minutes.\n\n"
            "No mail? Look into the folder for spam, then ask your administrator whether your address has changed."
        ),
        "tags": ["account", "login"],
        "audience": "public",
        "status": "published",
    },
    "add-a-colleague": {
        "title": "Add a colleague to your account",
        "body": "Administrators invite people under **Settings → People**. An invitation is valid for seven days.",
        "tags": ["account"],
        "audience": "public",
        "status": "published",
    },
    "read-your-invoice": {
        "title": "Read your invoice: VAT, cost centres, delivery address",
        "body": (
            "| line | where it comes from |\n|---|---|\n| VAT rate | the country of the delivery address |\n"
            "| cost centre | **Billing → Cost centres** |\n\nWhat changes there is on the next invoice."
        ),
        "tags": ["invoice"],
        "audience": "public",
        "status": "published",
    },
    "vpn-drops": {
        "title": "VPN drops: what to ask and what to try",
        "body": (
            "1. Since when, and for how many people?\n2. Ask for the client's version; before 5.2 the tunnel is closed"
            " after ten idle minutes.\n3. More than one office: open a problem, page the network rota."
        ),
        "tags": ["network"],
        "audience": "internal",
        "status": "published",
    },
    "slow-exports": {
        "title": "Slow exports",
        "body": "Ask for the number of rows. Above a million an export goes by mail; below it, look at the queue.",
        "tags": ["database"],
        "audience": "internal",
        "status": "draft",
    },
}

ANSWERS: Final[dict[str, dict[str, Any]]] = {
    "thanks": {
        "title": "We are looking at it",
        "shortcut": "thanks",
        "body": (
            "Dear {{requester.name|customer}},\nthank you for writing about “{{ticket.subject}}” (#{{ticket.number}})."
            " We are looking at it now.\n{{agent.name}}"
        ),
    },
    "details": {
        "title": "Which message, and when?",
        "shortcut": "details",
        "body": "Could you send us the exact message and the time when it appeared?\n{{agent.name}}",
    },
}
