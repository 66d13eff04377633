import { PipelineError } from '../../domain/errors.js'
import { clip } from '../../domain/dataset.js'
import { EXIT_ERROR, EXIT_OK, type CommandSpec, type Context, type FlagValues } from '../command.js'

const SHELLS = ['bash', 'zsh', 'fish'] as const

export const completion: CommandSpec = {
  name: 'completion',
  argument: { form: '<shell>', help: SHELLS.join(', ') },
  sentence: 'Prints a script that lets a shell complete commands and flags.',
  example: 'source <(candlelake completion bash)',
  flags: [],
  exits: [EXIT_OK, EXIT_ERROR],
  run,
}

async function run(_context: Context, _flags: FlagValues, shell = ''): Promise<number> {
  if (!SHELLS.some((known) => known === shell)) {
    throw new PipelineError('BAD_USAGE', `"${clip(shell)}" is not a shell that is known here`, {
      do: `use one of ${SHELLS.join(', ')}`,
    })
  }
  const { default: tab } = await import('@bomb.sh/tab')
  tab.setup('candlelake', 'candlelake', shell)
  return 0
}
