import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const ENTRY = fileURLToPath(new URL('./own-process-child.js', import.meta.url))

/** What a function gave that ran in a process of its own, and the most memory that this process had resident. */
export type Apart<T> = { readonly value: T; readonly peakRssBytes: number }

export type ApartRequest = { readonly module: string; readonly name: string; readonly input: unknown }
export type ApartAnswer = { readonly value: unknown; readonly peakRssBytes: number } | { readonly error: string }

/**
 * Runs an exported async function of one plain argument in a fresh process: what it allocates, compiles and leaves open
 * is not the bench's.
 */
export async function inOwnProcess<T>(module: string, name: string, input: unknown): Promise<Apart<T>> {
  const child = fork(ENTRY, { serialization: 'advanced', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const request: ApartRequest = { module, name, input }
  const answer = await new Promise<ApartAnswer>((resolve, reject) => {
    child.once('message', (message) => resolve(message as ApartAnswer))
    child.once('error', reject)
    child.once('exit', (code, signal) => reject(new Error(`${name} ended with ${signal ?? code ?? 'nothing'}`)))
    child.send(request)
  })
  if (child.exitCode === null && child.signalCode === null) await new Promise((resolve) => child.once('exit', resolve))
  if ('error' in answer) throw new Error(answer.error)
  return answer as Apart<T>
}
