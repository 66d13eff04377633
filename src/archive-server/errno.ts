/** The system's code of a thrown error (`ENOENT`, `EADDRINUSE`); null for any other throw. */
export const errnoOf = (thrown: unknown): string | null =>
  thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : null

const ABSENT: ReadonlySet<string | null> = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP'])

/** Whether a file system error means that nothing has this name: also a name too long, or below a file. */
export const isAbsent = (thrown: unknown): boolean => ABSENT.has(errnoOf(thrown))
