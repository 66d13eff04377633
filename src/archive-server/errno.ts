import { errnoOf } from '../domain/errno.js'

const ABSENT: ReadonlySet<string | null> = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP'])

/** Whether a file system error means that nothing has this name: also a name too long, or below a file. */
export const isAbsent = (thrown: unknown): boolean => ABSENT.has(errnoOf(thrown))
