/** Figures as the reports show them. */
import type { Quantity, Target } from './targets.ts';

export function seconds(value: number): string {
  return value.toFixed(value < 1 ? 3 : 2);
}

export function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0);
}

export function megabytes(bytes: number): string {
  const text = (bytes / 1e6).toFixed(Math.abs(bytes) < 10e6 ? 2 : 0);
  return text === '-0.00' ? '0.00' : text;
}

export function ratio(value: number): string {
  return value.toFixed(2);
}

export function count(value: number): string {
  return value.toLocaleString('en-US');
}

export function quantity(value: number, of: Quantity): string {
  switch (of) {
    case 'wall':
    case 'cpu':
      return `${seconds(value)} s`;
    case 'stored':
      return `${megabytes(value)} MB`;
    case 'peak memory':
      return `${mebibytes(value)} MiB`;
  }
}

/** What the target demands, in words. */
export function demand({ limit, quantity: of }: Target, labels: ReadonlyMap<string, string>): string {
  if ('value' in limit) return `at most ${quantity(limit.value, of)}`;
  return limit.of === 'data set'
    ? `at most ${limit.times * 100} % of the file`
    : `at most ${limit.times} × ${labels.get(limit.of) ?? limit.of}`;
}
