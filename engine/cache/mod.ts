/**
 * A local cache of the metadata of repositories that are far away. The folder (`$XDG_CACHE_HOME/lagan`) has one folder for each repository; it can be deleted at
 * any time. Repositories in a folder of this machine need none.
 */
export { type CacheOptions, cachedStorage, cacheOf, uncachedStorage, withCache } from './cached-storage.ts';
export { type CacheStatus, cacheClear, cacheLimit, cacheStatus } from './manage.ts';
export { readAheadStorage, withReadAhead } from './read-ahead.ts';
