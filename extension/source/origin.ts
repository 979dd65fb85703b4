/** What is known of a model besides its graph, and which classes it speaks for: a `config.json` beside it, the lens that its trace was started from. */
import { code } from './code.ts';
import type { ClassRef } from './module-index.ts';

export interface ModelOrigin {
  /** `model_type` of config.json, those of its parts (`text_config`, `vision_config`) too. */
  readonly modelTypes?: readonly string[];
  /** `architectures` of config.json: names of model classes. */
  readonly architectures?: readonly string[];
  /** Files of installed packages that hold what config.json names. */
  readonly files?: readonly string[];
  /** The class whose lens was clicked. */
  readonly startedFrom?: { readonly path: string; readonly className: string };
}

export interface Standing {
  /** 0: an installed class that nothing speaks for; many models have its module paths. Higher counts more. */
  readonly rank: number;
  /** A phrase for the hover, after "walked from class X,"; undefined for the user's own files, which need none. */
  readonly because?: string;
}

/** How much speaks for a walk from `root` that ends in `ref`, apart from the path itself. */
export function standing(root: ClassRef, ref: ClassRef, origin: ModelOrigin | undefined): Standing {
  const from = origin?.startedFrom, isStart = from?.path === ref.document.path && from.className === ref.cls.qualifiedName;
  const named = origin?.architectures?.includes(root.cls.name) ?? false;
  if (!root.document.installed) return { rank: isStart ? 3 : named ? 2 : 1 };
  const because = named ? 'which config.json beside the model names'
    : origin?.files?.includes(root.document.path) ? `of the model type ${(origin.modelTypes ?? []).slice(0, 3).map(code).join(', ')} in config.json`
      : isStart ? 'to the class whose lens started this trace' : undefined;
  return because === undefined ? { rank: 0 } : { rank: isStart ? 3 : 1, because };
}

/** Of config.json's text, what says which classes the model is made of. Bounded; anything odd in it is passed over. */
export function readOrigin(config: unknown): ModelOrigin {
  const types = new Set<string>();
  const architectures = new Set<string>();
  const visit = (value: unknown, depth: number): void => {
    if (typeof value !== 'object' || value === null || depth > 2 || types.size > 16) return;
    const entries = value as Readonly<Record<string, unknown>>;
    const type = entries['model_type'];
    if (typeof type === 'string' && /^[\w-]{1,80}$/.test(type)) types.add(type);
    const names = entries['architectures'];
    if (Array.isArray(names)) for (const name of names.slice(0, 16)) if (typeof name === 'string' && /^\w{1,160}$/.test(name)) architectures.add(name);
    for (const [key, inner] of Object.entries(entries)) if (/_config$|^(encoder|decoder)$/.test(key)) visit(inner, depth + 1);
  };
  visit(config, 0);
  return { modelTypes: [...types], architectures: [...architectures] };
}
