import type { Storage } from './storage.ts';

/** The same store, of which some calls are answered otherwise. */
export function withOverrides<Kind extends Storage, Overrides extends object>(storage: Kind, overrides: Overrides): Kind & Overrides {
  return new Proxy(storage, {
    get(target, property) {
      if (Object.hasOwn(overrides, property)) return Reflect.get(overrides, property);
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  }) as Kind & Overrides;
}
