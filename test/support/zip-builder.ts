import { crc32, deflateRawSync } from 'node:zlib'

/** A member of a ZIP; whatever is given besides name and content is written as it is, true or not. */
export type BuiltMember = {
  readonly name: string | Buffer
  readonly content: Buffer
  readonly method?: number
  readonly flags?: number
  readonly crc32?: number
  readonly claimedSize?: number
  readonly externalAttributes?: number
  /** Sizes and CRC after the data, not before; `false-crc` writes another CRC there. */
  readonly descriptor?: 'true' | 'false-crc'
  /** Sizes in ZIP64 fields. */
  readonly zip64?: boolean
  /** Deflated bytes in place of the content's. */
  readonly deflated?: Buffer
  /** CRC in the local header where it differs from the directory's. */
  readonly localCrc32?: number
}

const u16 = (n: number): Buffer => Buffer.from([n & 255, (n >>> 8) & 255])
const u32 = (n: number): Buffer => Buffer.from([n & 255, (n >>> 8) & 255, (n >>> 16) & 255, (n >>> 24) & 255])
const u64 = (n: number): Buffer => Buffer.concat([u32(n % 2 ** 32), u32(Math.floor(n / 2 ** 32))])

/** A ZIP made by hand, so that it can be wrong. `count` is the number of entries that the end record claims. */
export function buildZip(
  members: readonly BuiltMember[],
  o: { comment?: string; count?: number; zip64End?: number } = {},
): Buffer {
  const parts: Buffer[] = []
  const central: Buffer[] = []
  let at = 0
  for (const member of members) {
    const { local, entry } = build(member, at)
    parts.push(local)
    central.push(entry)
    at += local.length
  }
  const directory = Buffer.concat(central)
  const count = o.count ?? members.length
  const comment = Buffer.from(o.comment ?? '')
  const zip64 = o.zip64End === undefined ? [] : endOfZip64(o.zip64End, directory.length, at)
  const end = [
    u32(0x06054b50),
    u16(0),
    u16(0),
    u16(count),
    u16(count),
    u32(directory.length),
    u32(at),
    u16(comment.length),
    comment,
  ]
  return Buffer.concat([...parts, directory, ...zip64, ...end])
}

function build(member: BuiltMember, at: number): { local: Buffer; entry: Buffer } {
  const method = member.method ?? 8
  const data = member.deflated ?? (method === 8 ? deflateRawSync(member.content) : member.content)
  const name = Buffer.from(member.name)
  const crc = member.crc32 ?? crc32(member.content)
  const size = member.claimedSize ?? member.content.length
  const flags = (member.flags ?? 0) | (member.descriptor ? 8 : 0)
  const extra = member.zip64 ? Buffer.concat([u16(1), u16(16), u64(size), u64(data.length)]) : Buffer.alloc(0)
  const sizes = member.zip64 ? [u32(0xffffffff), u32(0xffffffff)] : [u32(data.length), u32(size)]
  const localSizes = member.descriptor ? [u32(0), u32(0)] : sizes
  const localCrc = member.descriptor ? 0 : (member.localCrc32 ?? crc)
  const descriptorCrc = member.descriptor === 'false-crc' ? crc ^ 1 : crc
  const descriptor = member.descriptor ? [u32(0x08074b50), u32(descriptorCrc), u32(data.length), u32(size)] : []
  const local = [
    u32(0x04034b50),
    u16(20),
    u16(flags),
    u16(method),
    u32(0),
    u32(localCrc),
    ...localSizes,
    u16(name.length),
    u16(extra.length),
  ]
  const entry = [
    u32(0x02014b50),
    u16(0x0314),
    u16(20),
    u16(flags),
    u16(method),
    u32(0),
    u32(crc),
    ...sizes,
    u16(name.length),
    u16(extra.length),
    u16(0),
    u16(0),
    u16(0),
    u32(member.externalAttributes ?? 0),
    u32(at),
    name,
    extra,
  ]
  return { local: Buffer.concat([...local, name, extra, data, ...descriptor]), entry: Buffer.concat(entry) }
}

function endOfZip64(count: number, size: number, offset: number): Buffer[] {
  const record = [
    u32(0x06064b50),
    u64(44),
    u16(45),
    u16(45),
    u32(0),
    u32(0),
    u64(count),
    u64(count),
    u64(size),
    u64(offset),
  ]
  return [...record, u32(0x07064b50), u32(0), u64(offset + size), u32(1)]
}
