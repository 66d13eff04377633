/**
 * The library: what the command line is made of. `ParquetLake` and `CandleQuery` read and write lakes without any service;
 * `openApp` joins everything for one process; the rest are the words and rules that callers meet.
 */
export { openApp } from './compose.js'
export { openRemoteFile, ParquetLake, type LakeOptions } from './compose-lake.js'
export { CandleQuery, type CandleQueryOptions } from './lake/candle-query.js'
export type { Batches, Call, Candle, CandleField } from './lake/candle.js'
export type { ColumnStats, Stats, StatValue } from './lake/lake-stats.js'
export type { RemoteFile } from './lake/remote-file.js'
export { QueryResult, type Cost } from './lake/query-result.js'
export { warmRepository } from './lake/warm-repository.js'
export type { MarketDataRepository } from './domain/ports/market-data-repository.js'
export { slice, type Slice } from './domain/slice.js'
export { loadConfig, type Config } from './config.js'
export type { App } from './cli/app.js'
export type { Certificate, Gap, GapClass } from './domain/certificate.js'
export { DATASETS, MARKETS, type Dataset, type Market } from './domain/dataset.js'
export { asPipelineError, ERRORS, PipelineError, type ErrorCode, type Facts } from './domain/errors.js'
export { VERDICTS, type Finding, type FindingCode } from './domain/findings.js'
export { INTERVALS, type Interval } from './domain/interval.js'
export { parseLakeKey, partitionOfKey } from './domain/names.js'
export { parsePartitionKey, partitionKeyOf, type Partition, type Series } from './domain/partition.js'
export { STATES, type Stage, type State } from './domain/states.js'
