/** Which of the two layouts is shown, and what of it is open. */

export const PHONE = '(max-width: 719px)';

class Layout {
  phone = $state(false);
  /** The queue beside the screen, on the desktop. */
  queue = $state(false);
  help = $state(false);

  start(): () => void {
    const query = matchMedia(PHONE);
    const follow = () => (this.phone = query.matches);
    follow();
    query.addEventListener('change', follow);
    return () => query.removeEventListener('change', follow);
  }
}

export const layout = new Layout();
