import type { ConvertFigures } from './figures.js'
import type { Month } from './month.js'
import type { StagedFile } from './ports/staging.js'
import type { Source, WantedSource } from './source.js'

/** First and last month that the archive lists for a series; null where no listing told. */
export type SeriesBounds = { readonly firstMonth: Month; readonly lastMonth: Month } | null

/** What download leaves for convert. `folder` is the staging folder of that execution. */
export type Downloaded = {
  readonly folder: string
  readonly sources: readonly Source[]
  readonly files: readonly StagedFile[]
}

/** What convert leaves for upload. */
export type Converted = {
  readonly folder: string
  readonly file: StagedFile
  readonly revision: string
  readonly figures: ConvertFigures
}

/** What upload leaves for verify: an object in the lake that is not published. */
export type Uploaded = { readonly key: string; readonly etag: string; readonly bytes: number; readonly sha256Hex: string }

/** Everything that is known of a partition on its way. Each stage adds its part; a restart keeps `wanted` and `bounds`. */
export type Work = {
  readonly wanted: readonly WantedSource[]
  readonly bounds: SeriesBounds
  /** How often it was started over because staged files were gone. */
  readonly restarts?: number
  readonly downloaded?: Downloaded
  readonly converted?: Converted
  readonly uploaded?: Uploaded
}

/** The data object that the lake shows for a partition. */
export type Published = {
  readonly key: string
  readonly etag: string
  readonly bytes: number
  readonly sha256Hex: string
  readonly rows: number
  readonly revision: string
}
