/** Where a partition stands. The first five are on their way; the others are ends that a plan or a retry can leave again. */
export const STATES = [
  'planned', 'downloading', 'converting', 'uploading', 'verifying',
  'verified', 'provisional', 'late', 'absent', 'quarantined', 'failed', 'cancelled',
] as const
export type State = (typeof STATES)[number]

export const STAGES = ['download', 'convert', 'upload', 'verify'] as const
export type Stage = (typeof STAGES)[number]

/** What has a queue and workers: the stages of a partition, and migrate, which takes hot rows off that it holds. */
export const JOB_STAGES = [...STAGES, 'migrate'] as const
export type JobStage = (typeof JOB_STAGES)[number]

/** The stage whose work a partition in this state waits for or is in; null when nothing is to be done. */
export const STAGE_OF: Readonly<Record<State, Stage | null>> = {
  planned: 'download', downloading: 'download', converting: 'convert', uploading: 'upload', verifying: 'verify',
  verified: null, provisional: null, late: null, absent: null, quarantined: null, failed: null, cancelled: null,
}

/** The states that a partition is in while a stage has it or waits for it. */
export const STATES_OF: Readonly<Record<Stage, readonly State[]>> = {
  download: ['planned', 'downloading'], convert: ['converting'], upload: ['uploading'], verify: ['verifying'],
}

export const UNFINISHED: readonly State[] = STATES.filter((state) => STAGE_OF[state] !== null)
export const FINISHED: readonly State[] = STATES.filter((state) => STAGE_OF[state] === null)

const REPLAN: readonly State[] = ['planned']
const GIVE_UP: readonly State[] = ['quarantined', 'failed', 'cancelled', 'planned']

/**
 * Every legal change of state. `planned` is reachable from everywhere: a plan, a retry, a reconcile or lost staging
 * starts a partition over with a raised generation.
 */
export const TRANSITIONS: Readonly<Record<State, readonly State[]>> = {
  planned: ['downloading', 'cancelled', 'failed', 'planned'],
  downloading: ['converting', 'late', 'absent', ...GIVE_UP],
  converting: ['uploading', ...GIVE_UP],
  uploading: ['verifying', ...GIVE_UP],
  verifying: ['verified', 'provisional', ...GIVE_UP],
  verified: REPLAN,
  provisional: REPLAN,
  late: REPLAN,
  absent: REPLAN,
  quarantined: REPLAN,
  failed: REPLAN,
  cancelled: REPLAN,
}

export const isLegal = (from: State, to: State): boolean => TRANSITIONS[from].includes(to)
