import { createInterface } from 'node:readline/promises'
import { PipelineError } from '../domain/errors.js'
import { terminalEnvironment } from '../config.js'

/**
 * Whether a person at the terminal says yes to `question`. Nothing typed, or Ctrl-C, is a no.
 * @throws {BAD_USAGE} where there is no terminal to ask at
 */
export async function confirmed(question: string, signal: AbortSignal): Promise<boolean> {
  const { stdin, stderr } = process
  if (!stdin.isTTY || !stderr.isTTY || terminalEnvironment().term === 'dumb') {
    throw new PipelineError('BAD_USAGE', 'there is no terminal to ask at whether to delete', {
      at: '--yes', do: 'add -y, or -n to see what would be deleted',
    })
  }
  const asking = createInterface({ input: stdin, output: stderr })
  try {
    const answer = await asking.question(`${question} [y/N] `, { signal })
    return /^y(es)?$/i.test(answer.trim())
  } catch (thrown) {
    if (signal.aborted) return false
    throw thrown
  } finally {
    asking.close()
  }
}
