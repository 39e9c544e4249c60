// What a refusal of the API says, for people.

export async function problemOf(answer) {
  try {
    const problem = await answer.json();
    const fields = (problem.errors ?? []).filter((each) => !problem.detail?.includes(each.message)).map((each) => `${each.field}: ${each.message}`);
    return [problem.detail || problem.title, ...fields].join(" ");
  } catch {
    return `The server answered ${answer.status}.`;
  }
}
