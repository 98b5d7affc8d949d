// Uploads a file with tus-js-client. Arguments: the folder of the client, the address of the uploads, the file.
import { createReadStream, statSync } from 'node:fs'
import { createRequire } from 'node:module'

const [folder, endpoint, file] = process.argv.slice(2)
const tus = createRequire(`${folder}/`)('tus-js-client')

const upload = new tus.Upload(createReadStream(file), {
  endpoint,
  uploadSize: statSync(file).size,
  headers: { 'x-user': 'ana' },
  metadata: { filename: 'cat.png', filetype: 'image/png' },
  retryDelays: Array(40).fill(50),
  onError(error) {
    console.error(error)
    process.exitCode = 1
  },
  onSuccess({ lastResponse }) {
    console.log(`stored as ${lastResponse.getHeader('Media-Id')}`)
  },
})
upload.start()
