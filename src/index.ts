/**
 * The library: what the command line is made of. `openApp` joins everything for one process; the rest are the words and
 * rules that callers meet. A later version adds readers of the lake.
 */
export { openApp } from './compose.js'
export { BinanceArchive } from './compose-archive.js'
export { loadConfig, type Config } from './config.js'
export type { App } from './cli/app.js'
export type { Call, Progress } from './domain/call.js'
export type { Batches, Candle } from './domain/candle-row.js'
export type { Certificate, Gap, GapClass } from './domain/certificate.js'
export { DATASETS, MARKETS, type Dataset, type Market } from './domain/dataset.js'
export { asPipelineError, ERRORS, PipelineError, type ErrorCode, type Facts } from './domain/errors.js'
export { VERDICTS, type Finding, type FindingCode } from './domain/findings.js'
export { INTERVALS, type Interval } from './domain/interval.js'
export { parseLakeKey, partitionOfKey } from './domain/names.js'
export { parsePartitionKey, partitionKeyOf, type Partition, type Series } from './domain/partition.js'
export { Resource } from './domain/resource.js'
export { slice, type Slice } from './domain/slice.js'
export { STATES, type Stage, type State } from './domain/states.js'
