/** The sites that a run keeps, where not all layers were asked for. */
import { UserError } from '../../contract/errors.ts';
import { layersText } from '../../contract/layers.ts';
import type { KeptLayers } from '../../contract/trace.ts';
import type { SitePlan } from '../sites/site-plan.ts';

/** The plans of the layers that were asked for, and what the manifest says of that. Errors: `UserError` that names a layer that no site has. */
export function keptOf(all: readonly SitePlan[], layers: readonly number[] | undefined): { readonly plans: readonly SitePlan[]; readonly kept?: KeptLayers } {
  const plans = layers ? ofLayers(all, layers) : all;
  return { plans, ...(plans.length < all.length ? { kept: { layers: [...new Set(plans.map(plan => plan.site.layer))].sort((a, b) => a - b), ofSites: all.length } } : {}) };
}

function ofLayers(plans: readonly SitePlan[], layers: readonly number[]): SitePlan[] {
  const there = new Set(plans.map(plan => plan.site.layer)), missing = layers.find(layer => !there.has(layer));
  if (!layers.length) throw new UserError('No layer was chosen.', `Choose among ${layersText([...there])}.`);
  if (missing !== undefined) throw new UserError(`The model has no attention in layer ${missing}; its layers are ${layersText([...there])}.`, 'Choose among these.');
  return plans.filter(plan => layers.includes(plan.site.layer));
}
