// A paste that is longer than any box takes is refused in words: the browser would stand still while it is laid out.
(() => {
  const MAX_PASTED = 200_000; // characters, as the box of the page Data takes
  document.addEventListener(
    'paste',
    (event) => {
      const length = event.clipboardData?.getData('text/plain').length ?? 0;
      if (length <= MAX_PASTED) return;
      event.preventDefault();
      event.stopPropagation();
      const [given, most] = [length, MAX_PASTED].map((count) => count.toLocaleString('en'));
      window.alert(
        `You pasted ${given} characters; a box takes at most ${most}. Save the text as a file and upload it on the page Data.`,
      );
    },
    true,
  );
})();
