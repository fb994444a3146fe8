/** Sizes in bytes as people write and read them. */
import { usageError } from './errors.ts';

const binaryUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
const powers: Record<string, number> = { '': 0, k: 1, m: 2, g: 3, t: 4, p: 5 };
const examples = 'valid are for example 500, 64K, 1.5GiB or 2TB';

/**
 * Bytes of `10`, `64K`, `1.5GiB` (units of 1,024) or `2GB` (units of 1,000). What is no size, is negative or beyond 2^53-1 bytes
 * is an error of usage that names `option`.
 */
export function parseSize(text: string, option: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(?:([kmgtp])(i?b?)|b)?$/i.exec(text.trim());
  if (!match) throw usageError(`${option}: '${text}' is not a size`, examples);
  const [, digits = '', prefix = '', suffix = ''] = match;
  const base = suffix.toLowerCase() === 'b' ? 1000 : 1024;
  const sizeBytes = Math.round(Number(digits) * base ** powers[prefix.toLowerCase()]!);
  if (!Number.isSafeInteger(sizeBytes)) throw usageError(`${option}: '${text}' is more than can be counted (2^53-1 bytes)`, examples);
  return sizeBytes;
}

/** `1.20 GiB`: three digits, units of 1,024. */
export function formatSize(sizeBytes: number): string {
  let value = sizeBytes;
  let unit = 0;
  while (value >= 999.5 && unit < binaryUnits.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? Math.round(value) : threeDigits(value)} ${binaryUnits[unit]}`;
}

/** `1.35 of 1.39 GiB`, `900 MiB of 1.39 GiB`. */
export function formatPart(partBytes: number, wholeBytes: number): string {
  const [part, whole] = [formatSize(partBytes), formatSize(wholeBytes)];
  const [amount, unit] = part.split(' ');
  return `${whole.endsWith(` ${unit}`) ? amount : part} of ${whole}`;
}

/** `12,345`. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

/** `12,345 files`, `1 file`. */
export function formatCountOf(count: number, singular: string, plural = `${singular}s`): string {
  return `${formatCount(count)} ${count === 1 ? singular : plural}`;
}

/** A share as `42 %`; `0 %` and `100 %` only where they are exact. */
export function formatShare(part: number, whole: number): string {
  if (whole <= 0) return '0 %';
  const percent = Math.round((part / whole) * 100);
  return `${part >= whole ? percent : Math.min(99, part > 0 ? Math.max(1, percent) : 0)} %`;
}

function threeDigits(value: number): string {
  return value >= 99.95 ? value.toFixed(0) : value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}
