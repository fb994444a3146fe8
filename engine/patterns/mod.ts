/** Patterns of paths, in the manner of gitignore: what a backup leaves out, what a restore takes. */
export { PathPatterns } from './path-patterns.ts';
