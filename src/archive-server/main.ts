import { resolve } from 'node:path'
import { asPipelineError, type PipelineError } from '../domain/errors.js'
import { HELP, parseOptions } from './options.js'
import { startArchiveServer, type ArchiveServerOptions } from './server.js'

const ENDS = { SIGINT: 130, SIGTERM: 143 } as const

async function serve(options: ArchiveServerOptions): Promise<void> {
  const server = await startArchiveServer(options)
  process.stdout.write(`archive server at ${server.url} serves ${resolve(options.root)}\n`)
  for (const [signal, exitCode] of Object.entries(ENDS)) {
    process.once(signal, () => {
      process.exitCode = exitCode
      void server.close()
    })
  }
}

function complain(error: PipelineError): void {
  const at = error.at === null ? '' : `at ${error.at}  `
  const hint = error.do === null ? '' : `do: ${error.do}`
  const second = at || hint ? `  ${at}${hint}`.trimEnd() + '\n' : ''
  process.stderr.write(`error ${error.code}: ${error.message}\n${second}`)
  process.exitCode = 1
}

try {
  const options = parseOptions(process.argv.slice(2))
  if (options === null) process.stdout.write(HELP)
  else await serve(options)
} catch (thrown) {
  complain(asPipelineError(thrown))
}
