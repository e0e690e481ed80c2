/** A line for a shell that asks a question of the API and prints a value of its answer. */
export const questionOf = (address: string, body: string, path: string) =>
  `curl -s -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' ${address} -d '${body.replaceAll("'", "'\\''")}' | jq '.${path}'`
