import { usageError } from './errors.ts';

/** `HOST:PORT`, `[::]:PORT`, or `:PORT` for all addresses of this machine. `defaultPort` is what the hint shows. Code: usage. */
export function parseAddress(text: string, { defaultPort }: { readonly defaultPort: number }): { host: string; port: number } {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]*)):([0-9]{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits !== undefined && port <= 65_535) return { host: bracketed ?? (plain || '0.0.0.0'), port };
  throw usageError(`--listen: '${text}' is not valid`, `give HOST:PORT, such as 127.0.0.1:${defaultPort} or [::]:${defaultPort}`);
}
