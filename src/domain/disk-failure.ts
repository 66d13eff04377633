import { diskFull } from './disk-full.js'
import { PipelineError } from './errors.js'

/** What the machine, not the partition, is to blame for: the same work passes once it is put right. */
const DO: Readonly<Record<string, string>> = {
  EROFS: 'the disk is mounted read-only: mount it writable, or configure another folder',
  EACCES: 'give this user the right to read and write there, or configure another folder',
  EPERM: 'give this user the right to read and write there, or configure another folder',
  EMFILE: 'raise the limit of open files (ulimit -n), or lower the concurrency',
  ENFILE: 'raise the limit of open files of this machine',
  ENOMEM: 'free memory of this machine, or lower the concurrency',
  EAGAIN: 'raise the limit of processes (ulimit -u), or lower the concurrency',
  EIO: 'check the disk',
  ENXIO: 'check the disk',
  ENODEV: 'check that the disk is mounted',
  ESTALE: 'check that the network disk is mounted',
  ENOTCONN: 'check that the network disk is mounted',
}

/** The same in words, as a library puts them that keeps no code. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/No space left on device/i, 'ENOSPC'], [/Disk quota exceeded/i, 'EDQUOT'], [/Read-only file system/i, 'EROFS'],
  [/Permission denied/i, 'EACCES'], [/Operation not permitted/i, 'EPERM'], [/Too many open files in system/i, 'ENFILE'],
  [/Too many open files/i, 'EMFILE'], [/Input\/output error/i, 'EIO'], [/Stale file handle/i, 'ESTALE'],
]

/**
 * `DISK_FULL` or `STORE_UNREACHABLE` around a failed system call at `at`, ours as it is; null where a file is to blame.
 */
export function diskFailure(thrown: unknown, at: string): PipelineError | null {
  if (thrown instanceof PipelineError) return thrown
  const errno = errnoOf(thrown)
  const full = diskFull(thrown, at) ?? (errno === null ? null : diskFull(named(thrown, errno), at))
  if (full || errno === null || !Object.hasOwn(DO, errno)) return full
  const facts = { at, errno, do: `${DO[errno] ?? ''}; work goes on by itself` }
  return new PipelineError('STORE_UNREACHABLE', `the folder cannot be used (${errno})`, facts, thrown)
}

/** What to do about a failed system call, where the machine is to blame; null elsewhere. */
export const remedyOf = (errno: string): string | null => DO[errno] ?? null

function errnoOf(thrown: unknown): string | null {
  if (!(thrown instanceof Error)) return null
  if ('code' in thrown && typeof thrown.code === 'string' && /^E[A-Z]+$/.test(thrown.code)) return thrown.code
  return WORDS.find(([words]) => words.test(thrown.message))?.[1] ?? null
}

const named = (cause: unknown, code: string): Error => Object.assign(new Error(String(cause), { cause }), { code })
