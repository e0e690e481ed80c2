/** Activation shards: writing, and reading by row. */
export { type Capture, type OpenOptions, openCapture, type RowColumns, readManifest } from './capture.ts'
export { floatsToHalves, halvesToFloats } from './float16.ts'
export { CaptureManifest, ShardRecord, SiteStatistics, StratumRecord } from './manifest.ts'
export { encodeParquetShard, encodeShard, type ShardColumns, type SiteColumn } from './write.ts'
