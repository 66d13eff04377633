declare module 'parquetjs-lite' {
  /** A 64-bit integer of Thrift: eight bytes, big-endian, from `offset` on. */
  export type Int64 = { readonly buffer: Buffer; readonly offset: number }

  export type SchemaElement = {
    readonly name: string
    readonly type: number | null
    readonly converted_type: number | null
    readonly scale: number | null
    readonly precision: number | null
    readonly num_children: number | null
  }

  /** Binary values come as strings whenever their bytes happen to be UTF-8, some of them in a hundred. */
  export type Statistics = {
    readonly min_value: Buffer | string | null
    readonly max_value: Buffer | string | null
    readonly null_count: Int64 | null
  }

  export type ColumnMetaData = {
    readonly path_in_schema: readonly string[]
    readonly codec: number
    readonly total_uncompressed_size: Int64
    readonly total_compressed_size: Int64
    readonly data_page_offset: Int64
    readonly dictionary_page_offset: Int64 | null
    readonly statistics: Statistics | null
  }

  export type FileMetaData = {
    readonly num_rows: Int64
    readonly schema: readonly SchemaElement[]
    readonly key_value_metadata: readonly { readonly key: string; readonly value: string | null }[] | null
    readonly row_groups: readonly {
      readonly num_rows: Int64
      readonly columns: readonly { readonly meta_data: ColumnMetaData }[]
    }[]
  }

  export class ParquetEnvelopeReader {
    constructor(read: (offset: number, length: number) => Promise<Buffer>, close: () => void, fileSize: number)
    readFooter(): Promise<FileMetaData>
  }

  const parquetjs: { ParquetEnvelopeReader: typeof ParquetEnvelopeReader }
  export default parquetjs
}
