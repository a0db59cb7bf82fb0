// Finds the names of secrets that a module asks for, and whether it works without a value. Reads the code, runs none of
// it.

import { tsPlugin } from "@sveltejs/acorn-typescript";
import { type AnyNode, type Expression, type Node, Parser } from "acorn";

export interface AskedSecret {
  readonly name: string;
  readonly line: number;
  /** Whether the code needs a value: it asks without a scope, has no default, and tests nowhere whether there is one. */
  readonly needed: boolean;
}

/** In UTF-16 units; parsing takes some milliseconds for each 100,000. */
const SOURCE_MAX_LENGTH = 400_000;
const NAME = /^[a-zA-Z0-9_-]{1,255}$/;
const TYPED = Parser.extend(tsPlugin({ jsx: true }));
const TYPED_WITHOUT_JSX = Parser.extend(tsPlugin());

/** Returns what a module asks for, in order; nothing for code that cannot be parsed, which its load reports. */
export function askedSecrets(path: string, source: string): AskedSecret[] {
  if (source.length > SOURCE_MAX_LENGTH || !/\bget(?:Complete)?Secret/.test(source)) return [];
  const program = parsed(path, source);
  if (!program) return [];
  const questions: Question[] = [];
  const tested = new Set<string>();
  walk(program, (node, parents) => {
    const name = literalNameOf(node);
    if (name !== undefined) questions.push({ name, node, parents: [...parents] });
    if (node.type === "Identifier" && isTested(node, parents)) tested.add(node.name);
  });
  return questions.map(({ name, node, parents }) => ({
    name,
    line: node.loc!.start.line,
    needed: isAlone(node) && isNeeded(node, parents, tested),
  }));
}

interface Question {
  readonly name: string;
  readonly node: AnyNode;
  readonly parents: readonly AnyNode[];
}

function parsed(path: string, source: string): AnyNode | undefined {
  const options = { ecmaVersion: "latest", sourceType: "module", locations: true, allowHashBang: true } as const;
  // Without JSX, `<T>value` is a type assertion.
  const parsers = /\.[cm]?ts$/.test(path) ? [TYPED_WITHOUT_JSX] : [TYPED, TYPED_WITHOUT_JSX];
  for (const parser of parsers) {
    try {
      return parser.parse(source, options);
    } catch {
      // The next one may know the syntax.
    }
  }
}

/**
 * Calls `visit` for a node and everything in it, with the nodes that contain it, the innermost last. Not recursive: a
 * chain of some thousand calls is nested that deep.
 */
function walk(root: AnyNode, visit: (node: AnyNode, parents: readonly AnyNode[]) => void): void {
  const parents: AnyNode[] = [];
  const left: { readonly node: AnyNode; readonly depth: number }[] = [{ node: root, depth: 0 }];
  for (let next = left.pop(); next; next = left.pop()) {
    const { node, depth } = next;
    parents.length = depth;
    visit(node, parents);
    parents.push(node);
    const inside = Object.values(node).flat().filter(isNode);
    for (const child of inside.reverse()) left.push({ node: child, depth: depth + 1 });
  }
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === "object" && value !== null && typeof (value as Node).type === "string" &&
    typeof (value as Node).start === "number";
}

/** The functions of `ctx` that return undefined if there is no value. */
const ASKING = ["getSecret", "getSecretVersions", "getCompleteSecret"];

/** Returns the name in `ctx.getSecret("NAME")` or `getSecret("NAME")`, and of the others that ask. */
function literalNameOf(node: AnyNode): string | undefined {
  if (node.type !== "CallExpression") return undefined;
  const { callee, arguments: [first] } = node;
  const called = callee.type === "MemberExpression" ? callee.property : callee;
  if (called.type !== "Identifier" || !ASKING.includes(called.name)) return undefined;
  const text = first?.type === "Literal"
    ? first.value
    : first?.type === "TemplateLiteral" && first.expressions.length === 0
    ? first.quasis[0]!.value.cooked
    : undefined;
  return typeof text === "string" && NAME.test(text) ? text : undefined;
}

/** Reports whether no scope is given. */
function isAlone(node: AnyNode): boolean {
  return node.type === "CallExpression" && node.arguments.length === 1;
}

/** Reports whether nothing in the code shows that the value may be missing. */
function isNeeded(node: AnyNode, parents: readonly AnyNode[], tested: ReadonlySet<string>): boolean {
  let [inner, at] = [node, parents.length - 1];
  while (at >= 0 && isTransparent(parents[at]!)) inner = parents[at--]!;
  const holder = parents[at];
  if (!holder || decides(holder, inner)) return false;
  if (holder.type === "VariableDeclarator") return !mayBeMissing(holder.id, tested);
  if (holder.type === "AssignmentExpression" && holder.operator === "=") return !mayBeMissing(holder.left, tested);
  if (holder.type === "ArrayExpression") return isNeededOfAll(holder, inner, parents.slice(0, at), tested);
  // What a function returns, or keeps in an object or a class, may be tested by others.
  return !["ReturnStatement", "ArrowFunctionExpression", "Property", "PropertyDefinition", "YieldExpression"]
    .includes(holder.type);
}

/** For `const [a, b] = await Promise.all([ctx.getSecret("A"), ctx.getSecret("B")])`. */
function isNeededOfAll(
  list: AnyNode & { type: "ArrayExpression" },
  element: AnyNode,
  parents: readonly AnyNode[],
  tested: ReadonlySet<string>,
): boolean {
  let at = parents.length - 1;
  while (at >= 0 && (isTransparent(parents[at]!) || parents[at]!.type === "CallExpression")) at--;
  const holder = parents[at];
  if (holder?.type !== "VariableDeclarator" || holder.id.type !== "ArrayPattern") return false;
  const target = holder.id.elements[list.elements.indexOf(element as Expression)];
  return target ? !mayBeMissing(target, tested) : false;
}

/** Reports whether a variable has a default, is tested somewhere, or is not a plain variable. */
function mayBeMissing(target: AnyNode, tested: ReadonlySet<string>): boolean {
  return target.type !== "Identifier" || tested.has(target.name);
}

/** Reports whether a node only passes on the value of what it contains. */
function isTransparent({ type }: AnyNode): boolean {
  return type === "AwaitExpression" || type === "ParenthesizedExpression" || (type as string).startsWith("TSAs") ||
    ["TSNonNullExpression", "TSSatisfiesExpression", "TSTypeAssertion"].includes(type);
}

/** Reports whether a node depends on whether there is a value. */
function decides(node: AnyNode, operand: AnyNode): boolean {
  switch (node.type) {
    case "LogicalExpression":
      return true;
    case "BinaryExpression":
      return /^[!=]==?$/.test(node.operator);
    case "UnaryExpression":
      return node.operator === "!" || node.operator === "typeof" || node.operator === "void";
    case "ConditionalExpression":
    case "IfStatement":
    case "WhileStatement":
    case "DoWhileStatement":
      return node.test === operand;
    case "SwitchStatement":
      return node.discriminant === operand;
    case "MemberExpression":
      return node.optional && node.object === operand;
    case "CallExpression":
      // `Boolean(value)`, and what checks values.
      return node.callee.type === "Identifier" && /^(?:Boolean|assert|invariant)$/.test(node.callee.name);
    case "ExpressionStatement":
      return true;
    default:
      return false;
  }
}

function isTested(node: AnyNode, parents: readonly AnyNode[]): boolean {
  let [inner, at] = [node, parents.length - 1];
  while (at >= 0 && isTransparent(parents[at]!)) inner = parents[at--]!;
  const holder = parents[at];
  return holder !== undefined && holder.type !== "ExpressionStatement" && decides(holder, inner);
}
