/** Finds the definitions of functions, classes, methods and constants in a module. */
import { parseAst } from 'vitest/node';

/** A named piece of a module. */
export interface Definition {
  /** `Backoff`, and `Backoff.failed` or `Backoff.#put` for a member of a class. */
  readonly symbol: string;
  /** Offsets of its text in the module; `export` and the docstring are outside. */
  readonly start: number;
  readonly end: number;
}

type Module = ReturnType<typeof parseAst>;
type Statement = Module['body'][number];
type Class = Extract<Statement, { body: { type: 'ClassBody' } }>;
type Member = Class['body']['body'][number];

/**
 * The definitions at the top level of a TypeScript module and in its classes, in the order of its text.
 * @throws SyntaxError
 */
export function* definitionsIn(text: string): Generator<Definition> {
  for (const statement of parseAst(text, { lang: 'ts' }).body) {
    const declared = 'declaration' in statement && statement.declaration != null ? statement.declaration : statement;
    const { start, end } = declared;
    if (declared.type === 'VariableDeclaration') {
      for (const { id, start, end } of declared.declarations)
        if (id.type === 'Identifier') yield { symbol: id.name, start, end };
    } else if (declared.type === 'FunctionDeclaration' && declared.id !== null) {
      yield { symbol: declared.id.name, start, end };
    } else if (declared.type === 'ClassDeclaration' && declared.id !== null) {
      const symbol = declared.id.name;
      yield { symbol, start, end };
      for (const member of declared.body.body) {
        const name = memberName(member);
        if (name !== undefined) yield { symbol: `${symbol}.${name}`, start: member.start, end: member.end };
      }
    }
  }
}

/** The name of a class member; undefined for a static block, an index signature, a computed name and an overload. */
function memberName(member: Member): string | undefined {
  if (member.type !== 'MethodDefinition' && member.type !== 'PropertyDefinition') return undefined;
  if (member.value?.type === 'TSEmptyBodyFunctionExpression' || member.computed) return undefined;
  if (member.key.type === 'PrivateIdentifier') return `#${member.key.name}`;
  return member.key.type === 'Identifier' ? member.key.name : undefined;
}
