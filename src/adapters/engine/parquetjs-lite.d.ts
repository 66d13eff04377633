declare module 'parquetjs-lite' {
  /** A 64-bit integer of Thrift: eight bytes, big-endian, from `offset` on. */
  export type Int64 = { readonly buffer: Buffer; readonly offset: number }

  export type SchemaElement = {
    readonly name: string
    readonly type: number | null
    readonly converted_type: number | null
    readonly scale: number | null
    readonly precision: number | null
  }

  /** Binary values come as strings whenever their bytes happen to be UTF-8, some of them in a hundred. */
  export type Statistics = {
    readonly min_value: Buffer | string | null
    readonly max_value: Buffer | string | null
  }

  export type FileMetaData = {
    readonly num_rows: Int64
    readonly schema: readonly SchemaElement[]
    readonly key_value_metadata: readonly { readonly key: string; readonly value: string | null }[] | null
    readonly row_groups: readonly {
      readonly columns: readonly {
        readonly meta_data: { readonly path_in_schema: readonly string[]; readonly statistics: Statistics | null }
      }[]
    }[]
  }

  export class ParquetEnvelopeReader {
    constructor(read: (offset: number, length: number) => Promise<Buffer>, close: () => void, fileSize: number)
    readFooter(): Promise<FileMetaData>
  }

  const parquetjs: { ParquetEnvelopeReader: typeof ParquetEnvelopeReader }
  export default parquetjs
}
