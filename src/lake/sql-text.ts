/** A text as SQL writes it. */
export const sqlText = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** One Parquet file as a table; a folder named `a=b` adds no column. */
export const parquetAt = (path: string): string => `read_parquet(${sqlText(path)}, hive_partitioning = false)`
