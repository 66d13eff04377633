import type { LakeObject, Scan } from '../query-plan.js'

/** Knows which objects a lake shows. */
export interface LakeIndex {
  /** At least every object that the scan wants; what else comes is pruned by `planQuery`. */
  objects(scan: Scan): Promise<readonly LakeObject[]>
}
