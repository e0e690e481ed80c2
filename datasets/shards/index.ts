/** Activation shards: writing, and reading by row. */

export { CaptureAudit } from './audit.ts'
export { CaptureManifest, ShardRecord, SiteStatistics, StratumRecord, WindowsRecord } from './manifest.ts'
export {
  type Capture,
  type OpenOptions,
  openCapture,
  type RowColumns,
  type RowRange,
  readCaptureManifest,
} from './reader.ts'
export { encodeParquetShard, encodeShard, type ShardColumns, type SiteColumn } from './write.ts'
