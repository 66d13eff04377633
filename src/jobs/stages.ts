import type { Stage } from '../domain/states.js'

export { JOB_STAGES, STAGES, type JobStage, type Stage } from '../domain/states.js'

/** The order of the stages: what a committed stage hands its partition to. */
export const NEXT = { download: 'convert', convert: 'upload', upload: 'verify', verify: null } as const satisfies Record<
  Stage,
  Stage | null
>
