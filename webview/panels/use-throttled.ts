/** Texts for a screen reader: the first at once, then no more than two a second, the last one always. */
import { useEffect, useRef, useState } from 'preact/hooks';

const pauseMs = 500;

export function useThrottled(text: string): string {
  const [said, setSaid] = useState(''), last = useRef(0);
  useEffect(() => {
    if (text === said) return undefined;
    const say = (): void => { last.current = performance.now(); setSaid(text); };
    const wait = last.current + pauseMs - performance.now();
    if (wait <= 0) { say(); return undefined; }
    const timer = setTimeout(say, wait);
    return () => clearTimeout(timer);
  }, [text]);
  return said;
}
