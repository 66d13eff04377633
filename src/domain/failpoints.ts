/**
 * Every point at which a worker may die between an effect and the record of it. Tests arm one by name; in production
 * passing one costs a comparison. The list is what the fault campaign walks through.
 */
export const FAILPOINTS = [
  'download.claimed', 'download.fetched', 'download.staged', 'download.committed', 'download.enqueued',
  'convert.claimed', 'convert.written', 'convert.staged', 'convert.committed', 'convert.enqueued',
  'upload.claimed', 'upload.put', 'upload.committed', 'upload.enqueued',
  'verify.claimed', 'verify.inspected', 'verify.locked', 'verify.kept', 'verify.published', 'verify.certified',
  'verify.committed', 'verify.swept',
] as const
export type Failpoint = (typeof FAILPOINTS)[number]

/** Called at each point; may kill or stop the process when a test armed it. */
export type PassFailpoint = (point: Failpoint, partition: string) => void
