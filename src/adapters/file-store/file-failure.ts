import { diskFull } from '../../domain/disk-full.js'
import { errnoOf } from '../../domain/errno.js'
import { PipelineError } from '../../domain/errors.js'

const DO: Readonly<Record<string, string>> = {
  EROFS: 'the disk is mounted read-only: mount it writable, or configure another folder',
  EACCES: 'give this user the right to write there, or configure another folder',
  EPERM: 'give this user the right to write there, or configure another folder',
  ENOENT: 'create the folder, or mount the disk that holds it',
  ENOTDIR: 'a file is in the way of a folder: move it, or configure another folder',
  EIO: 'check the disk',
}

/** A failed system call as the error of the ports: `DISK_FULL` or `STORE_UNREACHABLE`; an error of ours as it is. */
export function fileFailure(thrown: unknown, at: string): PipelineError {
  if (thrown instanceof PipelineError) return thrown
  const errno = errnoOf(thrown) ?? 'unknown'
  const facts = { at, errno, do: DO[errno] ?? 'check the disk and the folder' }
  const message = `the folder cannot be used (${errno})`
  return diskFull(thrown, at) ?? new PipelineError('STORE_UNREACHABLE', message, facts, thrown)
}

/** What `work` gives; its failures as `fileFailure` names them. */
export async function orFileFailure<T>(at: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    throw fileFailure(thrown, at)
  }
}

const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'ELOOP'])

/** What `work` gives, or null where it finds nothing; a link opened with O_NOFOLLOW is nothing. */
export async function orAbsent<T>(work: () => Promise<T>): Promise<T | null> {
  try {
    return await work()
  } catch (thrown) {
    if (ABSENT.has(errnoOf(thrown) ?? '')) return null
    throw thrown
  }
}
