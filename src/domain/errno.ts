/** The system's code of a thrown error (`ENOENT`, `EADDRINUSE`); null for any other throw. */
export const errnoOf = (thrown: unknown): string | null =>
  thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : null
