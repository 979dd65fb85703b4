/** Beside the image: how much of the row falls on it, and that share for every layer and head, each of which can be chosen. */
import type { Look } from '../../extension/contract/api.ts';
import { headLabel, siteLabel, type Site } from '../../extension/contract/site.ts';
import { percent } from '../marks/scale.ts';
import { colourCss, type ColourMapId } from '../paint/colour-maps.ts';

type Part = keyof Look['masses'];
const parts: readonly { readonly id: Part; readonly text: string }[] = [
  { id: 'image', text: 'image' }, { id: 'imageSinks', text: 'sinks on the image' }, { id: 'extra', text: 'CLS and registers' }, { id: 'before', text: 'text before it' }, { id: 'between', text: 'newlines, tile names' }, { id: 'behind', text: 'text behind it' },
  { id: 'textSinks', text: 'sinks in the text' }, { id: 'generated', text: 'generated tokens' },
];
/** Shown where they are nothing, too: a zero says that there are none. */
const always: Readonly<Record<'language' | 'vision', readonly Part[]>> = { language: ['image', 'imageSinks', 'before', 'behind', 'textSinks'], vision: ['image', 'extra'] };

/** Where the whole row goes, together 100 %. */
export function Masses({ masses, language }: { readonly masses: Look['masses']; readonly language: boolean }) {
  const there = parts.filter(({ id }) => masses[id] > 0 || always[language ? 'language' : 'vision'].includes(id));
  return (
    <section aria-label="Where the row's attention goes">
      <h2>Attention of this row</h2>
      <ul class="masses" data-testid="masses">
        {there.map(({ id, text }) => (
          <li key={id} data-testid="mass" data-part={id} data-share={masses[id]}>
            <span>{text}</span><span class="bar"><span style={{ width: `${Math.min(100, masses[id] * 100)}%` }} /></span><span class="number">{percent(masses[id])}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

interface SharesProps { readonly sites: readonly Site[]; readonly shares: Float32Array; readonly chosen: { readonly site: string; readonly head: number }; readonly colours: ColourMapId; readonly onChoose: (site: string, head: number) => void }

/** Share of the row that falls on the image, a cell a head: layers down, heads across. */
export function Shares({ sites, shares, chosen, colours, onChoose }: SharesProps) {
  const width = sites.length ? shares.length / sites.length : 0, top = shares.reduce((most, value) => (value > most ? value : most), 0);
  const step = (event: KeyboardEvent): void => {
    const cells = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>('button')], at = cells.indexOf(document.activeElement as HTMLElement), by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: width, ArrowUp: -width }[event.key];
    if (by === undefined || at < 0) return;
    event.preventDefault();
    cells[Math.max(0, Math.min(cells.length - 1, at + by))].focus();
  };
  return (
    <section aria-label="Share of the row on the image, by layer and head">
      <h2>On the image <span class="quiet">layers down, heads across; up to {percent(top)}</span></h2>
      <div class="shares" data-testid="shares" role="group" onKeyDown={step} style={{ gridTemplateColumns: `auto repeat(${width}, minmax(8px, 22px))` }}>
        {sites.flatMap((site, n) => [
          <span key={site.name} class="quiet share-label">{siteLabel(site)}</span>,
          ...Array.from({ length: width }, (_, head) => {
            const share = shares[n * width + head], on = chosen.site === site.name && chosen.head === head;
            if (Number.isNaN(share)) return <span key={`${site.name} ${head}`} />;
            const text = `${headLabel(site, head)}: ${percent(share)} on the image`;
            return <button key={`${site.name} ${head}`} type="button" class="share" aria-pressed={on} title={text} aria-label={text} data-share={share} style={{ background: colourCss(colours, top > 0 ? share / top : 0) }} onClick={() => onChoose(site.name, on ? -1 : head)} />;
          }),
        ])}
      </div>
    </section>
  );
}
