import { CommanderError } from 'commander'
import { VERSION } from '../version.js'
import { COMMANDS } from './commands.js'
import { buildProgram, commandAt, usageError } from './program.js'
import { errorOutput, runCommand } from './run-command.js'

const argv = process.argv.slice(2)

const say = (text: string): void => {
  process.stdout.on('error', () => undefined)
  process.stdout.write(text)
}

const program = buildProgram({
  entries: COMMANDS, version: VERSION, say,
  act: async (spec, flags, argument) => {
    process.exitCode = await runCommand(spec, flags, argument)
  },
})

try {
  // The shells' completion scripts call `candlelake complete -- words`.
  if (argv[0] === 'complete') {
    const { default: tab } = await import('@bomb.sh/tab/commander')
    tab(program)
  }
  await program.parseAsync(argv, { from: 'user' })
} catch (thrown) {
  if (!(thrown instanceof CommanderError)) throw thrown
  if (thrown.code === 'commander.help') {
    // A noun without a verb: what can follow, and the exit code of a usage error.
    process.stderr.write(commandAt(program, argv).helpInformation())
    process.exitCode = 1
  } else if (thrown.exitCode !== 0) {
    const out = errorOutput(argv)
    out.error(usageError(thrown, program, argv))
    process.exitCode = 1
  }
}
