// a small picture is enlarged by a whole number, so that its pixels stay equal; a phone gives it its full width
export const narrow = window.matchMedia("(max-width: 640px)");
export function fit(stage, width, height, room) {
  if (!width || !height || !room) return 0;
  // what is wide, as a spectrogram is, may fill the page
  const most = width > 2 * height ? 960 : 512 * Math.min(1, width / height), free = Math.min(room, most);
  const wide = narrow.matches ? Math.min(room, 2 * most) : free >= width ? Math.floor(free / width) * width : free;
  stage.style.width = wide + "px";
  stage.style.aspectRatio = width + " / " + height;
  stage.classList.toggle("small", Math.max(width, height) <= 128);
  return wide;
}
