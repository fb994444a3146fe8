/**
 * What tree nodes are, once decoded. Source: spec/node.md.
 */
import type { Entry, Extent, NodeReference } from './entry.ts';
import type { PackId } from './ids.ts';

export const nodeKinds = { directory: 1, content: 2, 'pack-list': 3 } as const;
export type NodeKind = keyof typeof nodeKinds;

export interface InnerDirectoryItem {
  /** Name of the last entry below. */
  readonly lastName: Uint8Array;
  readonly entriesBelow: number;
  readonly node: NodeReference;
}

export interface InnerContentItem {
  readonly bytesBelow: number;
  readonly node: NodeReference;
}

export interface InnerPackListItem {
  readonly lastPack: PackId;
  readonly packsBelow: number;
  readonly node: NodeReference;
}

interface NodeFields {
  /** 0 for a leaf. */
  readonly height: number;
  /** The pack table: every pack that this node refers to. */
  readonly packs: readonly PackId[];
}

export interface DirectoryLeaf extends NodeFields {
  readonly kind: 'directory';
  readonly leaf: true;
  readonly items: readonly Entry[];
}
export interface DirectoryInner extends NodeFields {
  readonly kind: 'directory';
  readonly leaf: false;
  readonly items: readonly InnerDirectoryItem[];
}
export interface ContentLeaf extends NodeFields {
  readonly kind: 'content';
  readonly leaf: true;
  readonly items: readonly Extent[];
}
export interface ContentInner extends NodeFields {
  readonly kind: 'content';
  readonly leaf: false;
  readonly items: readonly InnerContentItem[];
}
export interface PackListLeaf extends NodeFields {
  readonly kind: 'pack-list';
  readonly leaf: true;
  readonly items: readonly PackId[];
}
export interface PackListInner extends NodeFields {
  readonly kind: 'pack-list';
  readonly leaf: false;
  readonly items: readonly InnerPackListItem[];
}
export type Node = DirectoryLeaf | DirectoryInner | ContentLeaf | ContentInner | PackListLeaf | PackListInner;

/** What a node's header says; the tables are decoded. */
export interface NodeTables {
  readonly packs: readonly PackId[];
  readonly strings: readonly string[];
}
