import { PipelineError } from './errors.js'

/** The disk's own words for "no room": a full device, a full quota. */
const FULL = new Set(['ENOSPC', 'EDQUOT'])

/** `DISK_FULL` around a failed system call that found no room at `at`; null for any other failure. */
export function diskFull(thrown: unknown, at: string): PipelineError | null {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : null
  if (typeof code !== 'string' || !FULL.has(code)) return null
  const facts = { at, errno: code, do: 'free space there, or move the folder to a larger disk; work goes on by itself' }
  const message = code === 'EDQUOT' ? 'the disk quota is used up' : 'the disk is full'
  return new PipelineError('DISK_FULL', message, facts, thrown)
}
