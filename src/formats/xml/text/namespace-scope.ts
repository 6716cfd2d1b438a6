/** Which namespace a prefix means at a place: elements around the place declare them, the nearest one first. */

/** The declarations of one element, and of those around it. Linked, for a copy at each element would grow with their product. */
export interface NamespaceScope {
  /** The namespaces by prefix; the empty prefix is that of elements without one. */
  readonly declared: ReadonlyMap<string, string>;
  readonly outer?: NamespaceScope | undefined;
}

/** The namespace of a prefix; undefined where none is declared. */
export function namespaceIn(scope: NamespaceScope | undefined, prefix: string): string | undefined {
  for (let around = scope; around !== undefined; around = around.outer) {
    const found = around.declared.get(prefix);
    if (found !== undefined) return found;
  }
  return undefined;
}
