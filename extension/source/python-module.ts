/** What a Python file says about its modules, as plain data: classes, what their attributes are built from, and which submodules their methods call. */

/** 0-based; `column` counts UTF-16 code units, as editors do. */
export interface TextPosition { readonly line: number; readonly column: number }
/** Half-open: `end` is the first position after the text. */
export interface TextRange { readonly start: TextPosition; readonly end: TextPosition }

/** An expression, as far as it can build a module. Nothing is evaluated: names are resolved later, against all open files (module-tree.ts). */
export type Value =
  /** A dotted name as written: `Block`, `nn.Linear`, `attention.Attention`. */
  | { readonly kind: 'name'; readonly name: string }
  /** `self.NAME`, read. */
  | { readonly kind: 'self'; readonly name: string }
  /** A parameter of the function around it, with its default when it has one. */
  | { readonly kind: 'param'; readonly name: string; readonly fallback?: Value }
  | { readonly kind: 'call'; readonly callee: Value; readonly args: readonly Value[]; readonly named: readonly (readonly [string, Value])[] }
  /** `repeated`: a comprehension or a loop: every index holds the same. `items` of a literal in order. */
  | { readonly kind: 'list'; readonly items: readonly Value[]; readonly repeated: boolean }
  /** Keys that are not literals are undefined. */
  | { readonly kind: 'dict'; readonly entries: readonly (readonly [string | undefined, Value])[] }
  /** `key` where it is a literal; otherwise `by` is what it is made of: a parameter, an attribute. */
  | { readonly kind: 'index'; readonly of: Value; readonly key: string | undefined; readonly by?: Value }
  /** A string. */
  | { readonly kind: 'text'; readonly text: string }
  /** One of these, depending on what happens at run time. */
  | { readonly kind: 'either'; readonly options: readonly Value[] }
  | { readonly kind: 'unknown' };

/** `self.NAME = …` in a method, or a class-level `NAME = …`; `append` for `self.NAME.append(…)`. */
export interface Attribute {
  /** `layer*` for `setattr(self, f'layer{i}', …)`. */
  readonly name: string;
  readonly how: 'assign' | 'append';
  readonly method: string | undefined;
  readonly value: Value;
  /** The whole statement. */
  readonly range: TextRange;
}

/** A submodule that a method calls. `target`: attributes from `self`; `*` for any element: `['attn']`, `['layers', '*']`, `['transformer', 'h', '*']`. `range` is what is called, without its arguments; `given`: those that are variables by their names, in order, `undefined` for any other expression. */
export interface ModuleCall { readonly target: readonly string[]; readonly range: TextRange; readonly given: readonly (string | undefined)[] }

/** What a function's own body shows of attention. `what` is the expression as a phrase: ``softmax of a product``, ``scaled_dot_product_attention``. */
export interface AttentionSignal { readonly what: string; readonly range: TextRange }

/** As written, long texts cut off. `rest` is `*args`, `keywords` is `**kwargs`, `keyword` must be given by its name, `position` must not. */
export interface Parameter { readonly name: string; readonly kind: 'plain' | 'position' | 'keyword' | 'rest' | 'keywords'; readonly annotation?: string; readonly fallback?: string }

/** `name: annotation = fallback` in a class body. */
export interface Field { readonly name: string; readonly annotation: string; readonly fallback?: string }

export interface PythonFunction {
  readonly name: string;
  readonly range: TextRange;
  /** Names of the parameters, `self` left out. */
  readonly parameters: readonly string[];
  /** The same ones with what is written about them, and with `*args` and `**kwargs`. */
  readonly signature: readonly Parameter[];
  readonly calls: readonly ModuleCall[];
  readonly signals: readonly AttentionSignal[];
  /** Functions it uses: `helper`, `self.helper`, `super().helper` is `super.helper`. */
  readonly uses: readonly string[];
  /** What it returns, when that could be a module. */
  readonly returns?: Value;
}

export interface PythonClass {
  readonly name: string;
  /** `Outer.Inner` for nested classes. */
  readonly qualifiedName: string;
  /** From `class` to the colon or the end of its line. */
  readonly headerRange: TextRange;
  readonly nameRange: TextRange;
  readonly range: TextRange;
  /** As written, without subscripts and keywords: `nn.Module`. */
  readonly bases: readonly string[];
  readonly attributes: readonly Attribute[];
  readonly fields: readonly Field[];
  readonly methods: readonly PythonFunction[];
}

/** `from .attention import Attention as A` is { alias: 'A', module: '.attention', name: 'Attention' }; `import a.b as c` has no name; `*` is a star import. */
export interface PythonImport { readonly alias: string; readonly module: string; readonly name: string | undefined }

/** A class put into a table after the table was made: `@TABLE.register('key')`, `TABLE['key'] = Class`. Without a key it is the class's name. */
export interface Registration { readonly table: string; readonly key: string; readonly value: Value }

export interface PythonModule {
  /** Nested ones too, in the order of the text. */
  readonly classes: readonly PythonClass[];
  readonly functions: readonly PythonFunction[];
  readonly imports: readonly PythonImport[];
  /** Module-level assignments: tables of classes, aliases. */
  readonly names: readonly (readonly [string, Value])[];
  readonly registrations?: readonly Registration[];
}

/** A parsed file with the path that the host knows it by; the cells of a notebook are one file, in their order. */
export interface SourceDocument {
  readonly path: string;
  readonly module: PythonModule;
  /** What was parsed: a line that the exporter wrote down is found again by its text. */
  readonly text?: string;
  /** Of a notebook: the 0-based line at which each cell starts. */
  readonly cells?: readonly number[];
  /** It belongs to a package of a Python environment: that a module path fits there is not enough, since many models share it. */
  readonly installed?: boolean;
}

export function contains(range: TextRange, at: TextPosition): boolean {
  return !before(at, range.start) && !before(range.end, at);
}

export function before(a: TextPosition, b: TextPosition): boolean {
  return a.line < b.line || (a.line === b.line && a.column < b.column);
}
