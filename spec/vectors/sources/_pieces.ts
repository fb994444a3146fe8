/** What the sources share: CBOR, sealing after the specification, keys and ids that are easy to recognize. */
import { createCipheriv, createHash, hkdfSync } from 'node:crypto';
import { encode, rfc8949EncodeOptions } from 'cborg';
import { concat, counting, filled, fromHex, type Part, text, u8, u32, u64 } from '../_vector.ts';

export const classKey = counting(32);
export const repositoryId = counting(16, 0x10);
export const objectId = counting(16, 0x20);
export const salt = counting(32, 0x30);
export const packA = filled(16, 0x0a);
export const packB = filled(16, 0x0b);
export const nameC = filled(32, 0xcc);
export const nameD = filled(32, 0xdd);

export function cbor(value: unknown): Uint8Array {
  return new Uint8Array(encode(value, rfc8949EncodeOptions));
}

/** Bytes as parts in which long runs of one byte stand alone, so that the file stays small. */
export function parts(bytes: Uint8Array): Part[] {
  const found: Part[] = [];
  let start = 0;
  for (let at = 0; at < bytes.length; ) {
    let end = at + 1;
    while (end < bytes.length && bytes[end] === bytes[at]) end++;
    if (end - at >= 64) {
      if (at > start) found.push(['', bytes.subarray(start, at)]);
      found.push(['', bytes.subarray(at, end)]);
      start = end;
    }
    at = end;
  }
  return start < bytes.length || found.length === 0 ? [...found, ['', bytes.subarray(start)]] : found;
}

export function hexPart(label: string, hex: string): Part {
  return [label, fromHex(hex)];
}

export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest());
}

export function hkdf(input: Uint8Array, saltBytes: Uint8Array, info: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', input, saltBytes, info, 32));
}

export function aesGcm(inputs: { key: Uint8Array; nonce: Uint8Array; additionalData: Uint8Array }, plaintext: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', inputs.key, inputs.nonce);
  cipher.setAAD(inputs.additionalData);
  return concat(cipher.update(plaintext), cipher.final(), cipher.getAuthTag());
}

export interface HeaderFields {
  magic?: Uint8Array;
  kind?: number;
  version?: number;
  epoch?: number;
  reserved?: number;
}

export function headerParts({
  magic = fromHex('4c4147414e1a'),
  kind = 12,
  version = 1,
  epoch = 1,
  reserved = 0,
}: HeaderFields = {}): Part[] {
  return [
    ['magic', magic],
    [`kind ${kind}`, u8(kind)],
    ['version', u8(version)],
    ['epoch', u32(epoch)],
    ['reserved', u32(reserved)],
    ['repository id', repositoryId],
    ['object id', objectId],
    ['salt', salt],
  ];
}

export function objectKey(header: Uint8Array): Uint8Array {
  return hkdf(classKey, header.subarray(48), concat(text('lagan object key'), header));
}

/** A stored segment: length field, ciphertext, tag. */
export function segmentParts(header: Uint8Array, { number, offset }: { number: number; offset: number }, plaintext: Uint8Array): Part[] {
  const inputs = {
    key: objectKey(header),
    nonce: concat(u32(number), new Uint8Array(8)),
    additionalData: concat(header, u32(number), u64(offset)),
  };
  const sealed = aesGcm(inputs, plaintext);
  const end = sealed.length - 16;
  return [
    ['sealed length', u32(sealed.length)],
    ['ciphertext', sealed.subarray(0, end)],
    ['tag', sealed.subarray(end)],
  ];
}
