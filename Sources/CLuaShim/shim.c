int mr_placeholder;
