/** A living worker says so this often, milliseconds. */
export const BEAT_MS = 5_000

/** A worker that missed so many beats is taken for dead; one that is only busy misses one or two. */
export const LOST_AFTER_MS = 4 * BEAT_MS

/** Two missed beats are enough where a lease ran out as well: those are renewed by another clock. */
export const LEASE_LOST_AFTER_MS = 2 * BEAT_MS

/** A dead worker is shown for so long, and then forgotten. */
export const FORGET_AFTER_MS = 86_400_000
