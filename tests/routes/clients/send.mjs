// Sends each request of the list on standard input with Node's fetch, and prints a line with its status or error.
import { readFileSync } from 'node:fs'

for (const { method, url, headers, prefix, size } of JSON.parse(readFileSync(0, 'utf8'))) {
  const body = Buffer.alloc(size, 'x')
  body.write(prefix)
  try {
    const answer = await fetch(url, { method, headers, body })
    await answer.text()
    console.log(answer.status)
  } catch (error) {
    console.log(error.cause?.code ?? error.message)
  }
}
