/** Which cache the commands use: options before the configuration before the default. */
import type { Context } from './context.ts';
import type { CacheOptions } from './engine.ts';
import { defaultCacheFolder } from './places.ts';

/** Folder and limit of the cache; undefined if none is wanted. */
export async function cacheOptionsOf(context: Context): Promise<CacheOptions | undefined> {
  const { cache, cacheDir, cacheLimit } = await context.configuration();
  if (!context.options.cache || (cache === false && context.options.cacheDir === undefined)) return undefined;
  const named = context.options.cacheDir;
  return {
    folder: named === undefined ? (cacheDir ?? defaultCacheFolder(context.io.env)) : context.resolve(named),
    limitBytes: cacheLimit,
  };
}
