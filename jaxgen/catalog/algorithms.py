"""What the documents print beside formulas: algorithms, code, steps, and the words around them."""

from jaxgen.catalog.passage import Passage

PASSAGES = (
    Passage(
        id="train.gan",
        document="001, 3.2; 002, 3.2.1; 004, 3.2",
        title="how a GAN is trained",
        says="Initialise both players; draw noise; D judges real and generated data; update D,"
        " then G; evaluate the samples; repeat until their quality reaches a set level.",
        verdict="incomplete",
        wrong="001 puts the generator's step before the discriminator's; 004 updates only G. A D"
        " that is never updated is a fixed function, which G learns to please.",
        instead="Within a step the discriminator first, on as many real as generated data, then the"
        " generator through the new discriminator. The stopping rule is worth keeping: train until"
        " a metric of the samples reaches a target.",
        source="Goodfellow et al. 2014, algorithm 1, https://arxiv.org/abs/1406.2661",
    ),
    Passage(
        id="code.mnist-gan",
        document="002, 5.2",
        title="a GAN of handwritten digits",
        says="Latent 100; G: dense 256, 512, 784, as a picture of 28·28; D: dense 512, 256, 1; label"
        " 0.9 for real and 0.1 for generated data; batch 128, 100 epochs, a picture every 10.",
        verdict="does not run",
        wrong="A tensor is passed to D's constructor, D's weights are loaded into G, and G reshapes"
        " its picture to 1·1·1. Read closely, the training function is given the generator alone: it"
        " fits it to 0.9 on Gaussian noise, which is called real, and to 0.1 on what it makes of that"
        " noise. MNIST is imported and never loaded, and no D is trained. 5.3 describes two"
        " convolutional layers; there are none.",
        instead="The sizes, the labels and the picture every 10 epochs, with D trained on real and"
        " generated digits and G against it as in `train.gan`; for the labels see"
        " `gan.label-smoothing`.",
        source="Salimans et al. 2016, section 3.4, https://arxiv.org/abs/1606.03498",
    ),
    Passage(
        id="code.gan-optimiser",
        document="004, 5.2",
        title="a GAN's optimiser",
        says="Adam for each player, learning rate 2e-4 and β₁ 0.5; binary cross-entropy; the"
        " generator is saved.",
        verdict="right",
        wrong="",
        instead="As it stands: the setting of DCGAN. A β₁ of 0.9 would carry a direction on that the"
        " other player has already answered.",
        source="Radford et al. 2015, section 4, https://arxiv.org/abs/1511.06434",
    ),
    Passage(
        id="code.gru-lm",
        document="003, 5.2",
        title="a word-level language model",
        says="Vocabulary 10,000, embedding 256, a stateful GRU of 512, a dense head; batch 64, Adam,"
        " 10 epochs. Words lower-cased, <PAD> 0, <EOS> 1, <UNK> 2. From the prompt 'The quick brown"
        " fox jumps over the lazy dog' 100 words at temperature 0.5.",
        verdict="does not run",
        wrong="A GRU is called a GPT. `Counter` is not imported; the special ids overwrite those of"
        " three words; words that are not known are dropped rather than mapped to <UNK>; tokens are"
        " shuffled one by one, so nothing is left to predict; no targets are given, let alone shifted"
        " by one; the most likely word is always taken, whatever the temperature.",
        instead="Special ids first and words after them; windows of running text as inputs, the same"
        " windows one word later as targets (`lm.cross-entropy`); words drawn from the softmax of"
        " logits / temperature.",
        source="Cho et al. 2014 (GRU), https://arxiv.org/abs/1406.1078",
    ),
    Passage(
        id="code.gpt2-text",
        document="000, 5.2",
        title="text from a pretrained GPT-2",
        says="A pretrained GPT-2 continues a Chinese prompt up to 100 tokens.",
        verdict="right",
        wrong="",
        instead="As it stands. The prompt is Chinese, so a tokenizer has to take any Unicode text.",
        source="Radford et al. 2019, section 2.2 (bytes as the alphabet), https://cdn.openai.com/"
        "better-language-models/language_models_are_unsupervised_multitask_learners.pdf",
    ),
    Passage(
        id="code.torch-gan",
        document="001, 5.2",
        title="a GAN's skeleton",
        says="Generator, Discriminator, train(generator, discriminator, data, epochs) and"
        " generate_image(generator, z).",
        verdict="incomplete",
        wrong="Every body is empty.",
        instead="The four parts are the right ones: two networks, `train.gan`, and `gan.generator` on"
        " noise.",
    ),
    Passage(
        id="steps.gpt",
        document="003, 3.1; 002, 3.1.1",
        title="how a GPT is made",
        says="Collect text; pre-train; fine-tune for a task; evaluate and improve. Usual pre-training"
        " tasks: language modelling, translation, classification (003); filling in what is missing"
        " from a text (002).",
        verdict="misnamed",
        wrong="The steps are right, the tasks are not GPT's. Translation and classification in the mix"
        " are T5's; filling in missing words from both sides is BERT's masked language model.",
        instead="Pre-train on the next token alone (`lm.cross-entropy`); tasks come with fine-tuning.",
        source="Radford et al. 2018, https://cdn.openai.com/research-covers/language-unsupervised/"
        "language_understanding_paper.pdf; Devlin et al. 2018 (BERT), https://arxiv.org/abs/1810.04805;"
        " Raffel et al. 2019 (T5), https://arxiv.org/abs/1910.10683",
    ),
    Passage(
        id="steps.text-to-image",
        document="003, 3.2",
        title="a picture from a text",
        says="Collect pictures with captions; train a generator and a discriminator; generate a"
        " picture from a text. The model is DALL-E, a GAN.",
        verdict="misnamed",
        wrong="DALL-E has no discriminator: a discrete VAE turns a picture into tokens, and an"
        " autoregressive transformer models the text's tokens followed by the picture's. The steps"
        " describe a GAN that is given the text.",
        instead="Codes for images (`tokens.distances`), then one model of text and codes"
        " (`tokens.joint-loss`). A GAN that is given the text is another system, with its own name.",
        source="Ramesh et al. 2021 (DALL-E), https://arxiv.org/abs/2102.12092; Reed et al. 2016 (a GAN"
        " given a text), https://arxiv.org/abs/1605.05396",
    ),
    Passage(
        id="steps.wavenet",
        document="003, 3.3",
        title="speech from a model",
        says="Train on recorded speech, then generate speech. The model is WaveNet, a recurrent"
        " network.",
        verdict="misnamed",
        wrong="WaveNet carries no state from step to step.",
        instead="A stack of causal convolutions (`sound.causal-convolution`), dilated so that what they"
        " see doubles with every layer, with gated units (`sound.gated-unit`); one sample of sound after"
        " the other.",
        source="van den Oord et al. 2016, https://arxiv.org/abs/1609.03499",
    ),
    Passage(
        id="steps.vae",
        document="002, 3.1.2",
        title="what a VAE does",
        says="An encoder turns data into latent variables, a decoder turns those back; moving the"
        " latent steers what is generated.",
        verdict="right",
        wrong="",
        instead="As it stands.",
        source="Kingma & Welling 2014, https://arxiv.org/abs/1312.6114",
    ),
    Passage(
        id="architecture",
        document="003, 2.2",
        title="the parts of a generative system",
        says="Data, feature extraction, generative model, decoder, output, evaluation by diversity,"
        " quality and realism.",
        verdict="right",
        wrong="",
        instead="As it stands: the way from data through a model to a judgement of its samples.",
    ),
    Passage(
        id="metrics",
        document="003, 9, Q3",
        title="how samples are judged",
        says="Inception Score, Fréchet Inception Distance, a perceptual similarity score, and people.",
        verdict="right",
        wrong="",
        instead="As it stands. The first two need a classifier, and a score is comparable only under"
        " the same one.",
        source="Salimans et al. 2016, https://arxiv.org/abs/1606.03498; Heusel et al. 2017,"
        " https://arxiv.org/abs/1706.08500; Zhang et al. 2018, https://arxiv.org/abs/1801.03924",
    ),
    Passage(
        id="words.vae",
        document="002, 4.2.3, 4.1 and 3.1.2",
        title="what a VAE's training is after",
        says="It maximises p(x|z) and minimises the reconstruction error p(x|z) and q(z|x) (4.2.3);"
        " the encoder's training maximises the distribution q(z|x) (4.1); training maximises the"
        " distribution of the latent variables (3.1.2).",
        verdict="contradiction",
        wrong="p(x|z) cannot be both maximised and minimised, and it is a likelihood, not an error."
        " q(z|x) is neither maximised nor minimised: it is a distribution, and what the loss contains"
        " is its divergence from the prior.",
        instead="Minimise −log p(x|z), the reconstruction error, plus KL(q(z|x) ‖ p(z)): `vae.elbo`.",
        source="Kingma & Welling 2014, eq. (3), https://arxiv.org/abs/1312.6114",
    ),
    Passage(
        id="words.vae-objective",
        document="000, 4.1.2",
        title="what D(x, θ) is",
        says="q(x|x) is the encoder and D(x, θ) the decoder.",
        verdict="contradiction",
        wrong="A minimum over θ of the decoder's output means nothing, and an encoder's distribution"
        " is over the latent, given x.",
        instead="D(x, θ) is a distortion, the cost of decoding x from its latent; the encoder is"
        " q(z|x): `vae.objective`.",
    ),
    Passage(
        id="words.generator-update",
        document="001, 3.2",
        title="what the generator learns from",
        says="The difference between generated and real samples is computed, for instance by a"
        " perceptual loss, and the generator is updated by it.",
        verdict="contradiction",
        wrong="Then D, which was just updated, plays no part, and there is no game; 001, 4.1 has the"
        " generator's loss as a function of D.",
        instead="The generator descends its loss through D: `gan.non-saturating-generator`. A"
        " perceptual loss can be added where each sample has a target.",
        source="Goodfellow et al. 2014, algorithm 1, https://arxiv.org/abs/1406.2661",
    ),
    Passage(
        id="words.optimiser",
        document="001, 2.2 and 4.2",
        title="which way a loss goes",
        says="The optimiser updates the parameters so that the loss becomes least (2.2); D's loss is"
        " there to maximise the rate of right answers (4.2).",
        verdict="contradiction",
        wrong="2.2 is right of every loss, and makes a sign error of 001, 4.1: minimised, the L_D that"
        " it prints teaches D the opposite.",
        instead="Minimise −V: `gan.minimax`.",
    ),
    Passage(
        id="words.gpt-year",
        document="001, 1",
        title="the year of GPT",
        says="In 2017 OpenAI published GPT.",
        verdict="wrong date",
        wrong="GPT is of 2018; 2017 is the year of the Transformer, on which it stands.",
        instead="Transformer 2017, GPT 2018.",
        source="Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; Radford et al. 2018,"
        " https://cdn.openai.com/research-covers/language-unsupervised/"
        "language_understanding_paper.pdf",
    ),
)
