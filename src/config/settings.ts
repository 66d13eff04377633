/** How a setting's text is read. Byte sizes take plain integers and `512MiB`; flags are `true` or `false`. */
export type Setting =
  | (Described & {
      readonly kind: 'count'
      readonly min: number
      readonly max: number
      readonly fallback: number | null
    })
  | (Described & { readonly kind: 'seconds'; readonly min: number; readonly max: number; readonly fallback: number })
  | (Described & { readonly kind: 'bytes'; readonly min: number; readonly fallback: string })
  | (Described & { readonly kind: 'choice'; readonly options: readonly string[]; readonly fallback: string })
  | (Described & { readonly kind: 'url'; readonly schemes: readonly string[]; readonly fallback: string | null })
  | (Described & { readonly kind: 'path' | 'text' | 'secret' | 'failpoints'; readonly fallback: string | null })

type Described = {
  /** One line, for `.env.example` and `doctor -v`. */
  readonly help: string
  /** What `.env.example` shows where the fallback follows from another setting or from the machine. */
  readonly shown?: string
  /** The value follows from another setting or from the machine where nothing is set. */
  readonly derived?: true
  /** A test's tool, refused in production. */
  readonly testOnly?: true
}

/**
 * Every setting there is, with units in the names. Plain data: help, `.env.example` and the schema are made of it.
 * A null fallback means unset; a derived one is worked out in `config.ts`, from what `shown` says.
 */
export const SETTINGS = {
  CANDLELAKE_HOME: {
    kind: 'path',
    fallback: null,
    derived: true,
    shown: '$XDG_DATA_HOME/candlelake',
    help: 'folder of everything that is kept: embedded Postgres, lake, staging, quarantine',
  },
  CANDLELAKE_CACHE: {
    kind: 'path',
    fallback: null,
    derived: true,
    shown: '$XDG_CACHE_HOME/candlelake',
    help: 'folder of what can be made again',
  },
  DATABASE_URL: {
    kind: 'url',
    schemes: ['postgres', 'postgresql'],
    fallback: null,
    shown: 'postgres://lake@db:5432/lake',
    help: 'Postgres 15 or later for the catalog; unset: embedded Postgres in the home',
  },
  QUEUE_URL: {
    kind: 'url',
    schemes: ['redis', 'rediss', 'postgres', 'postgresql'],
    fallback: null,
    shown: 'redis://cache:6379',
    help: "Redis or Postgres for the queues; unset: the catalog's Postgres",
  },
  LAKE_URL: {
    kind: 'url',
    schemes: ['file', 's3'],
    fallback: null,
    derived: true,
    shown: 'file://$CANDLELAKE_HOME/lake',
    help: 'where the Parquet files are published: a folder, or s3://bucket/prefix',
  },
  STAGING_URL: {
    kind: 'url',
    schemes: ['file', 's3'],
    fallback: null,
    derived: true,
    shown: 'file://$CANDLELAKE_HOME/staging',
    help: 'where files lie between two stages; in s3://bucket/prefix the stages may run on different hosts',
  },
  S3_ENDPOINT: {
    kind: 'url',
    schemes: ['http', 'https'],
    fallback: null,
    shown: 'https://ACCOUNT.r2.cloudflarestorage.com',
    help: 'the server of s3:// addresses: R2, MinIO, any other; unset: AWS',
  },
  S3_REGION: {
    kind: 'text',
    fallback: null,
    shown: 'auto',
    help: "region of the buckets; unset: auto with S3_ENDPOINT (R2, MinIO), else what AWS's own settings say",
  },
  S3_ACCESS_KEY_ID: {
    kind: 'text',
    fallback: null,
    shown: '',
    help: "access key; unset: what AWS's own settings give (environment, profile, role of the machine)",
  },
  S3_SECRET_ACCESS_KEY: { kind: 'secret', fallback: null, shown: '', help: 'secret of the access key' },
  S3_SESSION_TOKEN: { kind: 'secret', fallback: null, shown: '', help: 'token that goes with a temporary access key' },
  S3_FORCE_PATH_STYLE: {
    kind: 'choice',
    options: ['auto', 'true', 'false'],
    fallback: 'auto',
    help: 'whether the bucket is named in the path, not in the host; auto: with S3_ENDPOINT',
  },
  S3_CHECKSUMS: {
    kind: 'choice',
    options: ['when_required', 'when_supported'],
    fallback: 'when_required',
    help: "checksums of S3's own, beside our SHA-256; R2 wants when_required",
  },
  S3_CONDITIONAL_WRITES: {
    kind: 'choice',
    options: ['auto', 'standard', 'r2', 'parts', 'off'],
    fallback: 'auto',
    help: 'how the server keeps conditions of a write; auto tries it out',
  },
  ARCHIVE_URL: {
    kind: 'url',
    schemes: ['http', 'https'],
    fallback: 'https://data.binance.vision',
    help: 'the archive, or a server with its layout',
  },
  ARCHIVE_LIST_URL: {
    kind: 'url',
    schemes: ['http', 'https'],
    fallback: null,
    derived: true,
    shown: 'https://s3-ap-northeast-1.amazonaws.com/data.binance.vision',
    help: "the archive's bucket listing; with another ARCHIVE_URL that server itself",
  },
  EXCHANGE_URL: {
    kind: 'url',
    schemes: ['http', 'https'],
    fallback: 'https://data-api.binance.vision',
    help: "the exchange's public API, for candles that no archive file holds yet",
  },
  NUMERIC_TYPE: {
    kind: 'choice',
    options: ['double', 'decimal'],
    fallback: 'double',
    help: 'how the lake holds numbers: double, or decimal to the last digit; fixed once a lake exists',
  },
  PARQUET_CODEC: {
    kind: 'choice',
    options: ['zstd', 'snappy', 'gzip', 'lz4_raw', 'uncompressed'],
    fallback: 'zstd',
    help: 'compression of Parquet pages',
  },
  PARQUET_LEVEL: { kind: 'count', min: 1, max: 22, fallback: 3, help: 'compression level, zstd only' },
  PARQUET_PAGES: { kind: 'choice', options: ['v1', 'v2'], fallback: 'v2', help: 'version of Parquet data pages' },
  LATE_DAYS: {
    kind: 'count',
    min: 0,
    max: 3_650,
    fallback: 45,
    help: 'a month that the archive lacks is late for so many days after its end, then absent',
  },
  HOT_DAYS: {
    kind: 'count',
    min: 1,
    max: 3_650,
    fallback: 30,
    help: 'hot rows may leave Postgres so many days after their day, when a verified month holds them',
  },
  KEEP_REVISIONS: { kind: 'count', min: 0, max: 1_000, fallback: 0, help: 'replaced revisions kept of each partition' },
  STAGING_MAX_BYTES: { kind: 'bytes', min: 1, fallback: '4GiB', help: 'downloads wait while more than this is staged' },
  QUARANTINE_MAX_BYTES: {
    kind: 'bytes',
    min: 0,
    fallback: '2GiB',
    help: 'files of quarantined partitions kept at most',
  },
  ENGINE_SLOTS: {
    kind: 'count',
    min: 1,
    max: 256,
    fallback: null,
    derived: true,
    shown: 'cores of this machine',
    help: 'DuckDB processes of a worker, one partition each',
  },
  ENGINE_MEMORY_BYTES: { kind: 'bytes', min: 64 * 1024 ** 2, fallback: '512MiB', help: 'memory of one DuckDB process' },
  ENGINE_TEMP_BYTES: { kind: 'bytes', min: 0, fallback: '4GiB', help: 'disk that one DuckDB process may spill to' },
  QUERY_MEMORY_BYTES: { kind: 'bytes', min: 64 * 1024 ** 2, fallback: '1GiB', help: 'memory of one query' },
  QUERY_TIMEOUT_SECONDS: { kind: 'seconds', min: 0.1, max: 86_400, fallback: 300, help: 'time that one query may take' },
  QUERY_HTTPFS: {
    kind: 'choice',
    options: ['off', 'auto'],
    fallback: 'off',
    help: "auto: SQL over files on web servers by DuckDB's httpfs where it is installed; nothing is downloaded",
  },
  QUERY_EXTENSION_DIR: {
    kind: 'path',
    fallback: null,
    derived: true,
    shown: '$HOME/.duckdb/extensions',
    help: "folder of DuckDB's installed extensions",
  },
  CACHE_MAX_BYTES: {
    kind: 'bytes',
    min: 0,
    fallback: '4GiB',
    help: 'parts of remote objects kept in CANDLELAKE_CACHE at most',
  },
  DOWNLOAD_CONCURRENCY: { kind: 'count', min: 1, max: 256, fallback: 8, help: 'downloads at once in a worker' },
  CONVERT_CONCURRENCY: {
    kind: 'count',
    min: 1,
    max: 256,
    fallback: null,
    derived: true,
    shown: 'twice ENGINE_SLOTS',
    help: 'conversions at once in a worker, those that wait for a DuckDB process included',
  },
  UPLOAD_CONCURRENCY: { kind: 'count', min: 1, max: 256, fallback: 4, help: 'uploads at once in a worker' },
  VERIFY_CONCURRENCY: {
    kind: 'count',
    min: 1,
    max: 256,
    fallback: null,
    derived: true,
    shown: 'twice ENGINE_SLOTS',
    help: 'verifications at once in a worker, those that wait for a DuckDB process included',
  },
  MIGRATE_CONCURRENCY: {
    kind: 'count',
    min: 1,
    max: 256,
    fallback: 2,
    help: 'months of hot rows migrated at once in a worker',
  },
  JOB_LOCK_SECONDS: {
    kind: 'seconds',
    min: 1,
    max: 3_600,
    fallback: 15,
    help: 'a job whose worker is silent so long is given to another',
  },
  LEASE_SECONDS: {
    kind: 'seconds',
    min: 1,
    max: 3_600,
    fallback: 15,
    help: 'a partition whose worker is silent so long may be claimed by another',
  },
  RECONCILE_SECONDS: {
    kind: 'seconds',
    min: 1,
    max: 86_400,
    fallback: 60,
    help: 'time between two looks for lost work',
  },
  SHUTDOWN_GRACE_SECONDS: {
    kind: 'seconds',
    min: 0,
    max: 3_600,
    fallback: 25,
    help: 'after SIGTERM, time for the work in hand; the rest is handed back. Kubernetes kills after 30',
  },
  ARCHIVE_CONNECT_TIMEOUT_SECONDS: {
    kind: 'seconds',
    min: 0.1,
    max: 600,
    fallback: 10,
    help: 'time to reach the archive',
  },
  ARCHIVE_HEADERS_TIMEOUT_SECONDS: {
    kind: 'seconds',
    min: 0.1,
    max: 600,
    fallback: 30,
    help: 'time until the archive answers',
  },
  ARCHIVE_IDLE_TIMEOUT_SECONDS: {
    kind: 'seconds',
    min: 0.1,
    max: 600,
    fallback: 30,
    help: 'longest silence within a transfer',
  },
  ARCHIVE_MAX_FILE_BYTES: { kind: 'bytes', min: 1, fallback: '1GiB', help: 'larger archive files are refused' },
  HTTP_PROXY: {
    kind: 'url',
    schemes: ['http', 'https'],
    fallback: null,
    shown: 'http://proxy:3128',
    help: 'proxy for http:// addresses',
  },
  HTTPS_PROXY: {
    kind: 'url',
    schemes: ['http', 'https'],
    fallback: null,
    shown: 'http://proxy:3128',
    help: 'proxy for https:// addresses',
  },
  NO_PROXY: {
    kind: 'text',
    fallback: null,
    shown: 'localhost,127.0.0.1',
    help: 'hosts that are reached without a proxy',
  },
  NODE_EXTRA_CA_CERTS: {
    kind: 'path',
    fallback: null,
    shown: '/etc/ssl/company.pem',
    help: 'file of further certificate authorities, PEM',
  },
  SERVER_HOST: {
    kind: 'text',
    fallback: '127.0.0.1',
    help: 'address of the server; another than loopback needs user and password',
  },
  SERVER_PORT: { kind: 'count', min: 0, max: 65_535, fallback: 3_000, help: 'port of the server; 0: any free one' },
  METRICS_PORT: {
    kind: 'count',
    min: 0,
    max: 65_535,
    fallback: null,
    shown: '9464',
    help: "port of a worker's or `schedule run`'s metrics and probes; unset: none; 0: any free one",
  },
  METRICS_HOST: {
    kind: 'text',
    fallback: null,
    shown: '0.0.0.0',
    help: 'address of METRICS_PORT; unset: SERVER_HOST; set, it needs no password, for nothing secret is there',
  },
  SERVER_USER: { kind: 'text', fallback: null, shown: 'operator', help: 'user name that the server asks for' },
  SERVER_PASSWORD: { kind: 'secret', fallback: null, shown: '', help: 'password that the server asks for' },
  LOG_LEVEL: {
    kind: 'choice',
    options: ['debug', 'info', 'warn', 'error'],
    fallback: 'info',
    help: 'least severe log line that is written',
  },
  CANDLELAKE_FAILPOINTS: {
    kind: 'failpoints',
    fallback: null,
    shown: 'convert.staged:kill',
    testOnly: true,
    help: 'where this process dies (kill) or stops (stop); tests only',
  },
  ENGINE_CRASH_ON: {
    kind: 'text',
    fallback: null,
    shown: 'spot-klines/BTCUSDT/1h/2024-01',
    testOnly: true,
    help: 'partition whose conversion crashes the engine; tests only',
  },
} as const satisfies Record<string, Setting>

export type SettingName = keyof typeof SETTINGS
export const SETTING_NAMES = Object.keys(SETTINGS) as readonly SettingName[]

/** `LAKE_URL` as a flag: `--lake-url`. */
export const flagOf = (name: SettingName): string => `--${name.toLowerCase().replaceAll('_', '-')}`

/** Settings that a command line, which other users can see, may not carry. */
export const isSecret = (name: SettingName): boolean => SETTINGS[name].kind === 'secret'
