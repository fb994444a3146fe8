import type { ByteReader, ByteWriter } from './bytes.ts';
import type { Time } from './entry.ts';
import { limits } from './limits.ts';

export function readTime(reader: ByteReader): Time {
  return { seconds: reader.svarint(), nanoseconds: reader.varint(limits.nanoseconds, 'nanoseconds') };
}

export function writeTime(writer: ByteWriter, time: Time): void {
  writer.svarint(time.seconds);
  writer.varint(time.nanoseconds);
}
